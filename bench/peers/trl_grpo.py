"""
A whole GRPO step of TRL's GRPOTrainer with a Qwen2.5-VL of random weights, on the CPU: the same work as ../grpo.ts.

    python trl_grpo.py '{"name": "XS"}'      (XS, S; further keys: threads, reps, prompts, group, new, micro, attention …)

8 prompts with a picture each × 8 completions of exactly 64 new tokens, a trivial reward, one update on all 64 (β = 0: no
reference model), float32, AdamW. Each step has new prompts and pictures. The first step is not counted.
"""

import json
import os
import shutil
import sys
import tempfile
import time

import side
import qwen

c = side.options(dict(prompts=8, group=8, new=64, micro=64, attention="sdpa"), qwen.SIZES)
side.prepare(c["threads"])
import numpy as np
import torch
import transformers
import trl
from datasets import Dataset
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoProcessor, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

torch.set_num_threads(c["threads"])
transformers.logging.set_verbosity_error()

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
SPLIT = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
QUESTION = "How many bars are in the chart {}? Count them and give the answer."
DISTINCT_STEPS = 16


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w") as f:
        json.dump(value, f)


def write_tokenizer(folder):
    """A byte-level BPE of 512 tokens in Qwen's manner; returns the ids of its special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    text = "system You are a helpful assistant. user assistant " + QUESTION
    trainer = trainers.BpeTrainer(
        vocab_size=qwen.VOCABULARY - len(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((open(trl.__file__).read() + text * 20).split("\n"), trainer)
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    assert tokenizer.get_vocab_size() <= qwen.VOCABULARY
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    return {token: tokenizer.token_to_id(token) for token in SPECIAL}


def write_model(folder):
    ids = write_tokenizer(folder)
    template = open(os.path.join(os.path.dirname(trl.__file__), "chat_templates", "qwen2_5_vl.jinja")).read()
    with open(os.path.join(folder, "chat_template.jinja"), "w") as f:
        f.write(template)
    write_json(
        folder,
        "tokenizer_config.json",
        dict(
            tokenizer_class="Qwen2Tokenizer",
            eos_token="<|im_end|>",
            pad_token="<|endoftext|>",
            unk_token=None,
            bos_token=None,
            chat_template=template,
            model_max_length=4096,
        ),
    )
    write_json(
        folder,
        "preprocessor_config.json",
        dict(
            min_pixels=3136,
            max_pixels=1003520,
            patch_size=14,
            temporal_patch_size=2,
            merge_size=2,
            image_mean=[0.48145466, 0.4578275, 0.40821073],
            image_std=[0.26862954, 0.26130258, 0.27577711],
            image_processor_type="Qwen2VLImageProcessor",
            processor_class="Qwen2_5_VLProcessor",
        ),
    )
    vision = [ids[f"<|{name}|>"] for name in ("image_pad", "video_pad", "vision_start", "vision_end")]
    torch.manual_seed(0)
    conf = qwen.config(c, vision, eos=ids["<|im_end|>"], pad=ids["<|endoftext|>"])
    qwen.new_model(conf, c["attention"]).save_pretrained(folder)


def dataset():
    """Prompts of DISTINCT_STEPS steps; later ones come again."""
    random = np.random.RandomState(0)
    size = qwen.PICTURE_SIDE

    def row(i):
        content = [{"type": "image"}, {"type": "text", "text": QUESTION.format(i % 10)}]
        pixels = random.randint(0, 255, (size, size, 3), dtype=np.uint8)
        return {"prompt": [{"role": "user", "content": content}], "image": Image.fromarray(pixels)}

    return Dataset.from_list([row(i) for i in range(c["prompts"] * DISTINCT_STEPS)])


def reward(completions, **_):
    """How many different characters there are."""
    return [float(len(set(x[0]["content"] if isinstance(x, list) else x))) for x in completions]


phases = {}


def timed(owner, method, phase):
    """Adds up the seconds that a method takes."""
    original = getattr(owner, method)

    def wrapper(*args, **kwargs):
        start = time.perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            phases[phase] = phases.get(phase, 0) + time.perf_counter() - start

    setattr(owner, method, wrapper)


class Steps(TrainerCallback):
    """Measures steps; as one side of a comparison it waits between them until it is asked for the next."""

    def __init__(self, answers):
        self.answers, self.measured, self.facts, self.wrapped = answers, [], {}, False

    def on_train_begin(self, args, state, control, **kwargs):
        if c["serve"]:
            self.answers.say(self.facts)
        self.begin(control)

    def on_step_begin(self, args, state, control, optimizer=None, **kwargs):
        if not self.wrapped:
            timed(optimizer, "step", "optimizer_s")
            self.wrapped = True

    def on_step_end(self, args, state, control, **kwargs):
        measured = {**self.clock.read(), "detail": {**phases, "update_s": update_seconds()}}
        self.measured.append(measured)
        if c["serve"]:
            self.answers.say(measured)
        self.begin(control)

    def begin(self, control):
        if c["serve"] and not sys.stdin.readline():
            control.should_training_stop = True
        phases.clear()
        self.clock = side.Clock()


def update_seconds():
    return sum(phases.get(phase, 0) for phase in ("forward_s", "backward_s", "optimizer_s"))


def trainer_of(folder, steps):
    args = GRPOConfig(
        output_dir=folder + "/out",
        use_cpu=True,
        bf16=False,
        fp16=False,
        per_device_train_batch_size=c["micro"],
        gradient_accumulation_steps=c["prompts"] * c["group"] // c["micro"],
        num_generations=c["group"],
        max_completion_length=c["new"],
        generation_kwargs={"min_new_tokens": c["new"]},
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        beta=0.0,
        num_iterations=1,
        learning_rate=1e-5,
        max_grad_norm=1.0,
        max_steps=1_000_000 if c["serve"] else c["reps"] + 1,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        gradient_checkpointing=False,
        seed=0,
        model_init_kwargs={"dtype": "float32", "attn_implementation": c["attention"]},
    )
    processor = AutoProcessor.from_pretrained(folder, padding_side="left")
    trainer = GRPOTrainer(
        model=folder,
        reward_funcs=reward,
        args=args,
        train_dataset=dataset(),
        processing_class=processor,
        callbacks=[steps],
    )
    timed(trainer, "_generate_and_score_completions", "generate_and_score_s")
    timed(trainer, "_generate_single_turn", "sample_s")
    timed(trainer, "_tokenize_prompts", "prompts_s")
    timed(trainer, "_calculate_rewards", "rewards_s")
    timed(trainer, "compute_loss", "forward_s")
    timed(trainer.accelerator, "backward", "backward_s")
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image", "image": Image.new("RGB", (qwen.PICTURE_SIDE,) * 2)}, {"type": "text", "text": QUESTION.format(0)}]}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
    )
    steps.facts.update(
        name=c["name"],
        **side.versions(),
        trl=trl.__version__,
        threads=torch.get_num_threads(),
        parameters=qwen.parameter_count(trainer.model),
        prompt_tokens=int(np.asarray(prompt["input_ids"]).size),
    )
    return trainer


answers = side.Answers()
steps = Steps(answers)
folder = tempfile.mkdtemp(prefix="trl_grpo_")
try:
    write_model(folder)
    trainer_of(folder, steps).train()
finally:
    shutil.rmtree(folder, ignore_errors=True)
if not c["serve"]:
    step = side.summary(steps.measured[1:])
    new = c["prompts"] * c["group"] * c["new"]
    answers.say({**steps.facts, "step": {**step, "tokens_per_s": round(new / step["best_s"])}})
