//! The released size, for real: a checkpoint of random weights with the names, the shards, the shapes and the types of
//! Z-Image-Turbo is brought in and makes pictures on the machine that the tests run on. It takes 45 GB of disk and half an hour,
//! so only `tests/run --full` does it.

use crate::family::Family;
use crate::harness::{Home, Ran};
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Every part of the released checkpoint that is split has as many files.
const SHARDS: usize = 3;
/// Of the transformer.
const DIM: usize = 3840;
/// Of the text encoder.
const HIDDEN: usize = 2560;
const VOCABULARY: usize = 151_936;

struct Tensor {
    name: String,
    shape: Vec<usize>,
}

impl Tensor {
    fn bytes(&self) -> usize {
        2 * self.shape.iter().product::<usize>()
    }
}

fn tensor(name: impl Into<String>, shape: &[usize]) -> Tensor {
    Tensor { name: name.into(), shape: shape.to_vec() }
}

/// Qwen3-4B.
fn text_encoder() -> Vec<Tensor> {
    let (heads, kv_heads, head, intermediate) = (32, 8, 128, 9728);
    let mut all = vec![
        tensor("model.embed_tokens.weight", &[VOCABULARY, HIDDEN]),
        tensor("model.norm.weight", &[HIDDEN]),
    ];
    for layer in 0..36 {
        let of_layer: [(&str, &[usize]); 11] = [
            ("input_layernorm", &[HIDDEN]),
            ("post_attention_layernorm", &[HIDDEN]),
            ("self_attn.q_proj", &[heads * head, HIDDEN]),
            ("self_attn.k_proj", &[kv_heads * head, HIDDEN]),
            ("self_attn.v_proj", &[kv_heads * head, HIDDEN]),
            ("self_attn.o_proj", &[HIDDEN, heads * head]),
            ("self_attn.q_norm", &[head]),
            ("self_attn.k_norm", &[head]),
            ("mlp.gate_proj", &[intermediate, HIDDEN]),
            ("mlp.up_proj", &[intermediate, HIDDEN]),
            ("mlp.down_proj", &[HIDDEN, intermediate]),
        ];
        all.extend(
            of_layer.map(|(name, shape)| tensor(format!("model.layers.{layer}.{name}.weight"), shape)),
        );
    }
    all
}

fn transformer() -> Vec<Tensor> {
    let mut all = vec![
        tensor("all_x_embedder.2-1.weight", &[DIM, 64]),
        tensor("all_x_embedder.2-1.bias", &[DIM]),
        tensor("all_final_layer.2-1.linear.weight", &[64, DIM]),
        tensor("all_final_layer.2-1.linear.bias", &[64]),
        tensor("all_final_layer.2-1.adaLN_modulation.1.weight", &[DIM, 256]),
        tensor("all_final_layer.2-1.adaLN_modulation.1.bias", &[DIM]),
        tensor("t_embedder.mlp.0.weight", &[1024, 256]),
        tensor("t_embedder.mlp.0.bias", &[1024]),
        tensor("t_embedder.mlp.2.weight", &[256, 1024]),
        tensor("t_embedder.mlp.2.bias", &[256]),
        tensor("cap_embedder.0.weight", &[HIDDEN]),
        tensor("cap_embedder.1.weight", &[DIM, HIDDEN]),
        tensor("cap_embedder.1.bias", &[DIM]),
        tensor("x_pad_token", &[1, DIM]),
        tensor("cap_pad_token", &[1, DIM]),
    ];
    for (kind, count) in [("noise_refiner", 2), ("context_refiner", 2), ("layers", 30)] {
        for layer in 0..count {
            let mut one =
                |name: &str, shape: &[usize]| all.push(tensor(format!("{kind}.{layer}.{name}"), shape));
            for name in ["to_q", "to_k", "to_v", "to_out.0"] {
                one(&format!("attention.{name}.weight"), &[DIM, DIM]);
            }
            for name in ["norm_q", "norm_k"] {
                one(&format!("attention.{name}.weight"), &[128]);
            }
            for name in ["attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"] {
                one(&format!("{name}.weight"), &[DIM]);
            }
            let feed_forward = DIM / 3 * 8;
            one("feed_forward.w1.weight", &[feed_forward, DIM]);
            one("feed_forward.w2.weight", &[DIM, feed_forward]);
            one("feed_forward.w3.weight", &[feed_forward, DIM]);
            if kind != "context_refiner" {
                one("adaLN_modulation.0.weight", &[4 * DIM, 256]);
                one("adaLN_modulation.0.bias", &[4 * DIM]);
            }
        }
    }
    all
}

/// As the demo model's, whose levels have 16, 32, 64 and 64 channels where the released one has 128, 256, 512 and 512. Between the
/// two halves both have 16 latent channels, or 32 for mean and variance.
fn autoencoder(demo: &Path) -> Vec<Tensor> {
    let file =
        fs::read(demo.join("vae/diffusion_pytorch_model.safetensors")).expect("the demo model is here");
    let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
    let header: Map<String, Value> = serde_json::from_slice(&file[8..8 + length]).expect("a header");
    let wide = |channels: usize| match channels {
        16 | 32 | 64 => 8 * channels,
        few => few, // colours, and the sides of a kernel
    };
    let widened = |(name, of): (&String, &Value)| {
        let mut shape: Vec<usize> = serde_json::from_value(of["shape"].clone()).expect("a shape");
        let kept = match name.as_str() {
            "decoder.conv_in.weight" => Some(1),
            "encoder.conv_out.weight" | "encoder.conv_out.bias" => Some(0),
            _ => None,
        };
        for (axis, channels) in shape.iter_mut().enumerate().filter(|(axis, _)| Some(*axis) != kept) {
            *channels = if axis < 2 { wide(*channels) } else { *channels };
        }
        Tensor { name: name.clone(), shape }
    };
    header.iter().filter(|(name, _)| *name != "__metadata__").map(widened).collect()
}

/// Random bits: xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Writes a tensor in bf16. Norms have the weight 1 and biases are 0; anything else has both signs, and a magnitude that keeps
    /// what goes through it about as large as it was.
    fn write(&mut self, tensor: &Tensor, to: &mut impl std::io::Write) {
        let mut left = tensor.bytes();
        let fan_in: usize = tensor.shape[1..].iter().product();
        if tensor.shape.len() == 1 {
            let value: u16 = if tensor.name.ends_with("bias") { 0 } else { 0x3f80 };
            return to.write_all(&value.to_le_bytes().repeat(tensor.shape[0])).expect("room on the disk");
        }
        let exponent = (-0.5 * (fan_in as f64).log2() - 0.6).round() as i64 + 127;
        let exponents = (exponent as u64) << 7;
        let exponents = exponents | exponents << 16 | exponents << 32 | exponents << 48;
        let mut buffer = Vec::with_capacity(1 << 20);
        while left > 0 {
            buffer.clear();
            while buffer.len() < left.min(1 << 20) {
                buffer.extend(((self.next() & 0x807f_807f_807f_807f) | exponents).to_le_bytes());
            }
            buffer.truncate(left);
            left -= buffer.len();
            to.write_all(&buffer).expect("room on the disk");
        }
    }
}

fn write_file(path: &Path, tensors: &[&Tensor], random: &mut Random) {
    let (mut header, mut at) = (Map::new(), 0);
    for tensor in tensors {
        let end = at + tensor.bytes();
        header.insert(
            tensor.name.clone(),
            json!({ "dtype": "BF16", "shape": tensor.shape, "data_offsets": [at, end] }),
        );
        at = end;
    }
    let mut header = serde_json::to_vec(&header).expect("it is JSON");
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::new(File::create(path).expect("room on the disk"));
    file.write_all(&(header.len() as u64).to_le_bytes()).expect("room on the disk");
    file.write_all(&header).expect("room on the disk");
    tensors.iter().for_each(|tensor| random.write(tensor, &mut file));
    file.flush().expect("room on the disk");
}

/// A part in shards of about the same size, and their index.
fn write_shards(dir: &Path, stem: &str, tensors: &[Tensor], random: &mut Random) {
    let total: usize = tensors.iter().map(Tensor::bytes).sum();
    let (mut shards, mut begun) = (vec![Vec::new(); SHARDS], 0);
    let mut places = Map::new();
    for tensor in tensors {
        let shard = (begun * SHARDS / total).min(SHARDS - 1);
        begun += tensor.bytes();
        places.insert(
            tensor.name.clone(),
            format!("{stem}-{:05}-of-{SHARDS:05}.safetensors", shard + 1).into(),
        );
        shards[shard].push(tensor);
    }
    for (shard, tensors) in shards.iter().enumerate() {
        let name = format!("{stem}-{:05}-of-{SHARDS:05}.safetensors", shard + 1);
        write_file(&dir.join(name), tensors, random);
    }
    let index = json!({ "metadata": { "total_size": total }, "weight_map": places });
    let name = format!("{stem}.safetensors.index.json");
    fs::write(dir.join(name), index.to_string()).expect("room on the disk");
}

/// A configuration of the demo model's with the released numbers.
fn configure(demo: &Path, folder: &Path, file: &str, released: &Value) {
    let text = fs::read(demo.join(file)).expect("the demo model is here");
    let mut config: Map<String, Value> = serde_json::from_slice(&text).expect("it is JSON");
    config.extend(released.as_object().expect("an object").clone());
    fs::write(folder.join(file), Value::from(config).to_string()).expect("room on the disk");
}

/// The whole checkpoint. Its tokenizer is the demo model's, whose tokens are among the released ones' numbers.
fn make(demo: &Path, folder: &Path) {
    for dir in ["tokenizer", "scheduler", "text_encoder", "transformer", "vae"] {
        fs::create_dir_all(folder.join(dir)).expect("room on the disk");
    }
    for file in [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
    ] {
        fs::copy(demo.join(file), folder.join(file)).expect("the demo model is here");
    }
    let text = json!({ "hidden_size": HIDDEN, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": 128, "intermediate_size": 9728, "vocab_size": VOCABULARY, "max_position_embeddings": 40960 });
    configure(demo, folder, "text_encoder/config.json", &text);
    let transformer_config = json!({ "dim": DIM, "n_layers": 30, "n_refiner_layers": 2, "n_heads": 30, "n_kv_heads": 30,
        "cap_feat_dim": HIDDEN, "axes_dims": [32, 48, 48], "axes_lens": [1536, 512, 512] });
    configure(demo, folder, "transformer/config.json", &transformer_config);
    let vae = json!({ "block_out_channels": [128, 256, 512, 512], "norm_num_groups": 32, "scaling_factor": 0.3611,
        "shift_factor": 0.1159, "sample_size": 1024 });
    configure(demo, folder, "vae/config.json", &vae);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    write_shards(&folder.join("text_encoder"), "model", &text_encoder(), &mut random);
    write_shards(&folder.join("transformer"), "diffusion_pytorch_model", &transformer(), &mut random);
    let vae = autoencoder(demo);
    let vae: Vec<&Tensor> = vae.iter().collect();
    write_file(&folder.join("vae/diffusion_pytorch_model.safetensors"), &vae, &mut random);
}

/// What the processes of a run took at their peaks, in MiB.
#[derive(Debug, Default)]
struct Peak {
    /// Memory of their own.
    anonymous: u64,
    /// Pages of files: weights that are read where they lie.
    file: u64,
    swap: u64,
}

impl Peak {
    fn look(&mut self, pids: &[u32]) {
        let mut now = [0; 3];
        for pid in pids {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            for (sum, line) in now.iter_mut().zip(["RssAnon:", "RssFile:", "VmSwap:"]) {
                let found = status.lines().find_map(|known| known.strip_prefix(line)).unwrap_or_default();
                *sum += found.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024;
            }
        }
        self.anonymous = self.anonymous.max(now[0]);
        self.file = self.file.max(now[1]);
        self.swap = self.swap.max(now[2]);
    }
}

/// Runs a verb to its end, and looks at its memory meanwhile.
fn watched(home: &Home, arguments: &[&str]) -> (Ran, Peak, Duration) {
    let mut program = home.furnished_program(arguments);
    let begun = Instant::now();
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut peak = Peak::default();
    while child.try_wait().expect("it is our child").is_none() {
        peak.look(&Family::of(child.id()).pids());
        std::thread::sleep(Duration::from_millis(500));
    }
    let took = begun.elapsed();
    (Ran::from(child.wait_with_output().expect("it ended")), peak, took)
}

/// A folder that goes with the test, however that ends.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
#[ignore = "45 GB of disk, and half an hour"]
fn the_released_size_is_brought_in_and_makes_pictures() {
    let home = Home::with_picture("released");
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/diffusion/demo/model");
    let (source, models) = (Gone(home.path().join("turbo")), Gone(home.path().join("state/models")));
    make(&demo, &source.0);
    let (ran, peak, took) = watched(&home, &["model", "import", &home.at("turbo")]);
    ran.ends(0, &[]);
    println!("import: {:.0} s, {peak:?}", took.as_secs_f64());
    assert!(peak.anonymous < 512, "{peak:?}");
    drop(source);
    home.ask(&["model", "use", "turbo"]).ends(0, &[]);
    for (size, steps) in [("256x256", "1"), ("256x256", "2"), ("1024x1024", "1")] {
        let arguments =
            ["generate", "a red apple on a white table", "--size", size, "--steps", steps, "--json"];
        let (ran, peak, took) = watched(&home, &arguments);
        let elapsed_ms = ran.ends(0, &[]).data()["elapsed_ms"].as_u64().expect("a number");
        println!(
            "{size} in {steps}: {:.1} s, {:.1} s with the start, {peak:?}",
            elapsed_ms as f64 / 1e3,
            took.as_secs_f64()
        );
        assert_eq!(peak.swap, 0, "{peak:?}");
    }
    let model = home.ask(&["model", "info", "turbo"]).ends(0, &[]);
    println!("{}", model.stdout);
    drop(models);
    home.is_whole(4);
}
