"""The peer of tests/bench: diffusers on the demo model, f32 on the CPU. One picture per line read, its seconds printed."""
import os, sys, time

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from diffusers import ZImagePipeline

folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
pipe = ZImagePipeline.from_pretrained(folder, torch_dtype=torch.float32)
pipe.set_progress_bar_config(disable=True)


def picture(seed):
    generator = torch.Generator("cpu").manual_seed(seed)
    start = time.perf_counter()
    with torch.no_grad():
        pipe("a red apple", height=128, width=128, num_inference_steps=8, guidance_scale=0.0, generator=generator)
    return time.perf_counter() - start


picture(0)
print("ready", torch.__version__, flush=True)
for line in sys.stdin:
    print(picture(int(line)), flush=True)
