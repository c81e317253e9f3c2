"""The Trainer of transformers on packs: a tiny Llava (SigLIP and Qwen3) with random weights.

    make demo
    pip install 'packkit[train]' accelerate
    python examples/hf_trainer.py --steps 20

Samples stay apart inside a pack although no mask is given: see collate_for_transformers. On a
machine with several GPUs start it with torchrun, or the Trainer splits each pack among them.
"""

import argparse
from functools import partial
from tempfile import TemporaryDirectory

from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen3Config,
    SiglipVisionConfig,
    Trainer,
    TrainingArguments,
    set_seed,
)

from packkit import PackDataset, collate_for_transformers

# 12 x 12 patches of 14 x 14 pixels: the 144 tokens that an image takes in the demo packs.
LAYERS = {"num_hidden_layers": 2, "num_attention_heads": 4}
VISION = {"image_size": 168, "patch_size": 14, "hidden_size": 32, "intermediate_size": 64}
TEXT = {"vocab_size": 151_936, "hidden_size": 64, "intermediate_size": 128, "head_dim": 16}


def tiny_llava(image_token: int) -> LlavaForConditionalGeneration:
    """Returns a model with random weights, two layers in each of its parts."""
    vision = SiglipVisionConfig(**VISION, **LAYERS, vision_use_head=False)
    text = Qwen3Config(**TEXT, **LAYERS, num_key_value_heads=2, use_cache=False)
    # All patches of the last layer but one; SigLIP has no class token for "default" to leave out.
    features = {"vision_feature_layer": -2, "vision_feature_select_strategy": "full"}
    parts = {"vision_config": vision, "text_config": text, "image_token_index": image_token}
    return LlavaForConditionalGeneration(LlavaConfig(**parts, **features))


def main() -> None:
    parser = argparse.ArgumentParser(description="The Trainer of transformers on packs.")
    parser.add_argument("packs", nargs="?", default="demo/packs")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    dataset = PackDataset(options.packs, image_size=VISION["image_size"])
    set_seed(0)
    model = tiny_llava(dataset.encoder.image_slot_id)
    with TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            max_steps=options.steps,
            per_device_train_batch_size=1,
            learning_rate=1e-2,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            remove_unused_columns=False,  # packs have none
            use_cpu=True,
        )
        # Logits of all 4,096 tokens of a pack would take 2.5 GB.
        collate = partial(collate_for_transformers, targets_only=True)
        trainer = Trainer(model, arguments, train_dataset=dataset, data_collator=collate)
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    print("losses:", *(f"{loss:.3f}" for loss in losses))


if __name__ == "__main__":
    main()
