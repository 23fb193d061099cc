"""A small language model, fine-tuned on instructions by LoRA and fully, with audit records: `audit run` needs nothing
else.

pip install 'transfer-audit[train,huggingface,peft]'
python examples/trainers/instructions_lora.py instructions.json
audit run --model instructions-example/adapter --data instructions.json
audit run --model instructions-example/full --data instructions.json --base instructions-example/base

The data are in the format of Alpaca. Of the first 1,100 rows the base learns the language of 500, on which both models
are then fine-tuned: on 300 of the others. A few minutes on two cores.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from audit.config.language_recipe import LanguageTraining
from audit.data.instructions import Instructions
from audit.data.tokenised import tokenised
from audit.record.transformers import AuditRecord
from audit.trainers.causal_lm import fine_tune

CONTEXT, WORDS, END = 256, 2000, "<|end|>"


def base(path: Path, texts: list[str], folder: Path, *, epochs: int) -> Path:
    """The source stage: a tokenizer and a GPT-2 of two layers, trained on the texts of other rows. In practice, a
    downloaded model."""
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer, pieces.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    learning = trainers.BpeTrainer(
        vocab_size=WORDS, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    pieces.train_from_iterator(texts, learning)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, eos_token=END, pad_token=END, model_max_length=CONTEXT)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    ends = {"bos_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=CONTEXT, n_embd=128, n_layer=2, n_head=4, **ends)
    rows = Instructions(path=path).exchanges(Path())
    read = tokenised(rows, tokenizer, context=CONTEXT, loss_on="all")
    training = LanguageTraining(epochs=epochs, lr=2e-3, batch_size=16, weight_decay=0.01, schedule="cosine")
    kept = np.arange(len(read.inputs)) < len(texts)
    fine_tune(GPT2LMHeadModel(config), read.inputs, kept, training, 0).save_pretrained(folder)
    return folder


def train(data: Path, start: Path, out: Path, first: int, count: int, *, lora: bool, epochs: int) -> Path:
    """transformers' Trainer on the rows from `first`, with a callback that writes the record; only answers are
    scored."""
    tokenizer = AutoTokenizer.from_pretrained(start)
    rows = Instructions(path=data).exchanges(Path())[first : first + count]
    read = tokenised(rows, tokenizer, context=CONTEXT).inputs
    examples = [
        {"input_ids": ids[ids >= 0].tolist(), "labels": np.where(scored > 0, ids, -100)[ids >= 0].tolist()}
        for ids, scored in read
    ]
    model = AutoModelForCausalLM.from_pretrained(start)
    if lora:
        given = {"r": 8, "lora_alpha": 32, "target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True}
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **given))
    where = {"kind": "instructions", "path": data.resolve()}
    arguments = TrainingArguments(
        out,
        num_train_epochs=epochs,
        per_device_train_batch_size=16,
        learning_rate=2e-3 if lora else 5e-4,
        save_strategy="no",
        report_to=[],
        use_cpu=not torch.cuda.is_available(),
    )
    record = AuditRecord(out, data=where)
    trainer = Trainer(
        model,
        arguments,
        train_dataset=Dataset.from_list(examples),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        callbacks=[record],
    )
    trainer.train()
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    record.record.write()
    return out


def main(data: Path, folder: Path, *, epochs: int = 20) -> None:
    rows = json.loads(data.read_text(encoding="utf-8"))
    known, count = (500, 300) if len(rows) >= 1100 else (len(rows) // 2, len(rows) // 4)
    texts = ["\n".join(str(row[name]) for name in ("instruction", "input", "output")) for row in rows[:known]]
    start = base(data, texts, folder / "base", epochs=epochs)
    others = folder / "instructions.json"
    others.write_text(json.dumps(rows[known:], ensure_ascii=False), encoding="utf-8")
    for name in ("adapter", "full"):
        out = train(others, start, folder / name, 0, count, lora=name == "adapter", epochs=5)
        more = "" if name == "adapter" else f" --base {start}"
        print(f"audit run --model {out} --data {others}{more}")


if __name__ == "__main__":
    given = sys.argv[1:] or ["instructions.json"]
    main(Path(given[0]), Path(given[1] if len(given) > 1 else "instructions-example"))
