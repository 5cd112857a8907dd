"""The peer of tests/bench: diffusers, f32 on the CPU.

    bench_peer.py draw FOLDER THREADS   draws a picture for each line `SIDE STEPS SEED`, and answers what it took
    bench_peer.py make DEMO FOLDER      writes a model of random weights, larger than the demo model at DEMO
"""
import os, resource, shutil, sys, time

os.environ["HF_HUB_OFFLINE"] = "1"
if os.environ.get("LIGHTPROOF_BENCH_LEVEL") == "avx2":  # before torch, and the libraries that it brings, ask the processor
    os.environ.update(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2")
import torch
from diffusers import AutoencoderKL, ZImagePipeline, ZImageTransformer2DModel
from diffusers.utils import logging as diffusers_logging
from transformers import Qwen3Config, Qwen3Model
from transformers.utils import logging as transformers_logging

for logging in diffusers_logging, transformers_logging:
    logging.set_verbosity_error()
    logging.disable_progress_bar()

# Between the demo model and the released one; the autoencoder is as large as the released one's.
TRANSFORMER = dict(dim=1152, n_heads=9, n_kv_heads=9, n_layers=12, n_refiner_layers=2, cap_feat_dim=1024, axes_dims=[32, 48, 48],
                   axes_lens=[1024, 256, 256])
VAE = dict(block_out_channels=[128, 256, 512, 512], norm_num_groups=32)
TEXT_ENCODER = dict(hidden_size=1024, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=16, num_key_value_heads=8,
                    head_dim=128, layer_types=["full_attention"] * 12)


def draw(folder, threads):
    torch.set_num_threads(threads)
    start = time.perf_counter()
    pipe = ZImagePipeline.from_pretrained(folder, dtype=torch.float32)
    load = time.perf_counter() - start
    pipe.set_progress_bar_config(disable=True)
    parts = {}

    def timed(owner, name):
        method = getattr(owner, name)

        def call(*arguments, **named):
            start = time.perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                parts[name] = parts.get(name, 0.0) + time.perf_counter() - start

        setattr(owner, name, call)

    timed(pipe, "encode_prompt")
    timed(pipe.transformer, "forward")
    timed(pipe.vae, "decode")
    print(load, flush=True)
    for line in sys.stdin:
        side, steps, seed = map(int, line.split())
        generator = torch.Generator("cpu").manual_seed(seed)
        parts.clear()
        cpu, start = cpu_s(), time.perf_counter()
        with torch.no_grad():
            pipe("a red apple on a white table", height=side, width=side, num_inference_steps=steps, guidance_scale=0.0,
                 generator=generator)
        wall, cpu = time.perf_counter() - start, cpu_s() - cpu
        print(wall, cpu, parts["encode_prompt"], parts["forward"], parts["decode"], flush=True)


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def make(demo, folder):
    torch.manual_seed(0)
    part = lambda name: os.path.join(demo, name)
    models = {
        "transformer": ZImageTransformer2DModel.from_config({**ZImageTransformer2DModel.load_config(part("transformer")), **TRANSFORMER}),
        "vae": AutoencoderKL.from_config({**AutoencoderKL.load_config(part("vae")), **VAE}),
        "text_encoder": Qwen3Model(Qwen3Config.from_pretrained(part("text_encoder"), **TEXT_ENCODER)),
    }
    shutil.rmtree(folder, ignore_errors=True)
    for name, model in models.items():
        with torch.no_grad():
            for key, weight in model.named_parameters():
                if weight.ndim > 1:
                    weight.normal_(0.0, weight[0].numel() ** -0.5)
                else:
                    weight.fill_(1.0 if key.endswith("weight") else 0.0)
        model.to(torch.bfloat16).save_pretrained(os.path.join(folder, name))
    for name in ["scheduler", "tokenizer"]:
        shutil.copytree(part(name), os.path.join(folder, name))
    shutil.copy(part("model_index.json"), folder)  # last: where it stands, the rest does


if sys.argv[1] == "make":
    make(sys.argv[2], sys.argv[3])
else:
    draw(sys.argv[2], int(sys.argv[3]))
