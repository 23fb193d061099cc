"""A fine-tuned language model from its folder to a verdict, on the command line; and what users get wrong, a line
each."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

pytest.importorskip("transformers")

import audit
from audit.checkpoints import causal_lm
from audit.checkpoints.folders.base import reader_of
from audit.checkpoints.language_folder import is_language_model
from audit.checkpoints.language_model import LanguageAudit, open_language_model
from audit.checkpoints.lora_folder import read_adapter
from audit.cli.app import app
from audit.data.instructions import Instructions
from audit.evidence.language import language_evidence
from audit.evidence.sequence_answers import sequence_answers
from audit.record.recording import Recording
from audit.results.read import load
from probes.errors import CheckpointError, DataError, InputError, RecipeError
from probes.evidence import PrivacyClaim
from probes.message import Message
from probes.result import Result
from reports.archive import dump
from reports.report import Report
from tests.audit import language_models
from tests.audit.command import audit as command
from tests.audit.command import refused

FEWER = {
    **{name: {"repeats": 2} for name in ("membership", "extraction")},
    "overfitting": {"repeats": 2, "learning_curve": False},
    "drift": {"seeds": 1},
}
FEW = tuple(
    word
    for name, given in FEWER.items()
    for key, value in given.items()
    for word in ("--set", f"probes.{name}.{key}={json.dumps(value)}")
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_models.saved(tmp_path_factory.mktemp("language"), language_models.task(40))


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "own"))


def opened(folder: Path, **given: object) -> LanguageAudit:
    usual = {"data": folder / "data.json", "members": folder / "rows.txt", "recipe": folder / "train.toml"}
    return open_language_model(folder / "adapter", **{**usual, **given})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def done(made: Path) -> Report:
    """What the command wrote, in Chinese."""
    given = ["-m", made / "adapter", "--data", made / "data.json", "--members", made / "rows.txt", "-q"]
    given += ["--recipe", made / "train.toml", "--store", made / "store", *FEW, "-o", made / "zh", "--lang", "zh"]
    ended = CliRunner().invoke(app, ["run", *map(str, given)])
    assert ended.exit_code == 3, ended.exception  # two rounds leave the gate's intervals wide
    return load(made / "zh")


def test_a_model_that_memorised_its_members_leaks(done: Report) -> None:
    found = {result.probe: result for result in done.results if isinstance(result, Result)}
    assert found["membership"].findings[0].code == "membership.leaks"
    assert done.audit["probes"] == {
        **dict.fromkeys(("contamination", "drift", "extraction", "forgetting"), "on"),
        **dict.fromkeys(("membership", "overfitting", "triggers"), "on"),
        **dict.fromkeys(("attribute_inference", "inheritance", "reconstruction"), "declined"),
    }
    assert done.data["modality"] == "language"


def test_what_was_not_looked_at_is_said_in_both_languages(done: Report, made: Path) -> None:
    assert "语言模型没有类别" in (made / "zh/report.md").read_text(encoding="utf-8")
    assert "a language model has none: Attribute inference" in " ".join(map(str, done.audit["limits"]))  # type: ignore[arg-type]


def replicas_in(store: Path) -> list[Path]:
    """The entries of replicas: the store also keeps drawings."""
    return [path for path in sorted(store.glob("??/*.safetensors")) if "start" in load_file(path)]


def test_a_killed_run_goes_on_and_gives_the_same(done: Report, made: Path, tmp_path: Path) -> None:
    """A replica of four is gone: those that are trained together are trained again, to the same bits."""
    shutil.copytree(made / "store", tmp_path / "store")
    entries = replicas_in(tmp_path / "store")
    entries[0].unlink()
    again = audit.run(
        made / "adapter",
        made / "data.json",
        members=made / "rows.txt",
        recipe=made / "train.toml",
        store=tmp_path / "store",
        config={"probes": FEWER},
    )
    assert dump(again) == dump(done)
    assert replicas_in(tmp_path / "store") == entries


def test_an_adapter_is_the_network_that_was_saved(made: Path) -> None:
    audited, task = opened(made), language_models.task(40)
    found, expected = (sequence_answers(one.audited, task.inputs).log_prob for one in (audited.task, task))
    assert found == pytest.approx(expected, abs=1e-5)
    assert np.array_equal(audited.task.inputs, task.inputs)
    assert np.array_equal(audited.task.pool.member, task.pool.member)
    assert audited.task.training.adapter is not None
    assert audited.task.training.adapter.rank == task.training.adapter.rank  # type: ignore[union-attr]


def test_whole_models_are_opened_beside_their_base(made: Path, own: Path) -> None:
    audited = open_language_model(
        made / "base",
        base=made / "base",
        data=made / "data.json",
        members=[0, *range(2, 20)],
        recipe=own / "train.toml",
    )
    assert audited.task.training.adapter is None
    assert audited.task.pool.member[:3].tolist() == [True, False, True]


def test_a_trainers_state_says_how_it_was_trained(own: Path) -> None:
    rates = [{"step": 1, "learning_rate": 2e-3}, {"step": 7, "learning_rate": 1e-3}]
    state = {"num_train_epochs": 3, "train_batch_size": 4, "max_steps": 12, "log_history": rates}
    (own / "adapter/trainer_state.json").write_text(json.dumps(state), encoding="utf-8")
    audited = opened(own, recipe=None)
    assert (audited.task.training.epochs, audited.task.training.batch_size, audited.task.training.lr) == (3, 4, 2e-3)
    notes = {note.code: note.values for note in audited.notes if isinstance(note, Message)}
    assert "train.epochs = 3 (trainer_state.json)" in notes["audit.folder-read"]["what"]
    assert "train.schedule = linear" in str(notes["audit.folder-assumed"]["what"])


def test_a_trainers_arguments_are_read_only_if_code_is_trusted(own: Path) -> None:
    arguments = pytest.importorskip("transformers").TrainingArguments(
        str(own), learning_rate=3e-3, num_train_epochs=2, per_device_train_batch_size=4, lr_scheduler_type="cosine"
    )
    torch.save(arguments, own / "adapter/training_args.bin")
    with pytest.raises(RecipeError, match=r"not known how it was trained.*trust training_args\.bin"):
        opened(own, recipe=None)
    training = opened(own, recipe=None, trust_code=True).task.training
    assert training is not None
    assert (training.lr, training.epochs, training.schedule) == (3e-3, 2, "cosine")


def test_language_models_are_read_through_the_same_door_as_classifiers(made: Path) -> None:
    """The readers of folders: one reads both kinds of a language model, and another distribution may add more."""
    for folder in ("adapter", "base"):
        found = reader_of(made / folder)
        assert found is not None
        assert found[0] == "causal-lm"
    described = found[1].describe(made / "adapter", None, trust_code=False)
    assert Path(described.recipe["source"]["weights"]).resolve() == (made / "base").resolve()
    assert "r = 8 (adapter_config.json)" in described.read


def test_parts_of_the_data_say_who_is_a_member(own: Path) -> None:
    rows = json.loads((own / "data.json").read_text(encoding="utf-8"))
    (own / "data.json").write_text(json.dumps({"train": rows[:12], "validation": rows[12:]}), encoding="utf-8")
    audited = opened(own, members=None)
    assert (int(audited.task.pool.member.sum()), int(audited.task.pool.held_out.sum())) == (12, 20)


def recorded(folder: Path, **more: Any) -> Path:
    """As a training leaves it: which rows, how, and of what base."""
    audited = opened(folder)
    ids = [row[row >= 0].tolist() for row in audited.task.inputs[:, 0]]
    training = {name: getattr(audited.task.training, name) for name in ("epochs", "lr", "batch_size")}
    data = {"kind": "instructions", "path": folder / "data.json"}
    with Recording(folder / "adapter", data=data, recipe={"train": training}, base=folder / "base", **more) as record:
        record.trained([ids[i] for i in np.flatnonzero(audited.task.pool.member)])
    return folder


def test_with_an_audit_record_nothing_more_is_asked(own: Path) -> None:
    before, audited = opened(own), open_language_model(recorded(own) / "adapter")
    assert np.array_equal(audited.task.pool.member, before.task.pool.member)
    assert audited.task.training == before.task.training
    assert "audit.recorded-rows" in [getattr(note, "code", "") for note in audited.notes]


def test_arguments_of_a_trainer_are_read_from_the_record(own: Path) -> None:
    record = json.loads((recorded(own) / "adapter/audit-record.json").read_text(encoding="utf-8"))
    arguments = {"learning_rate": 0.01, "num_train_epochs": 2, "per_device_train_batch_size": 4, "weight_decay": 0.1}
    content = {**record, "recipe": {}, "arguments": arguments}
    (own / "adapter/audit-record.json").write_text(json.dumps(content), encoding="utf-8")
    training = open_language_model(own / "adapter").task.training
    assert (training.lr, training.epochs, training.batch_size, training.weight_decay) == (0.01, 2, 4, 0.1)
    assert training.packing is None
    packed = {**content, "arguments": {**arguments, "packing": True, "max_length": 64}}
    (own / "adapter/audit-record.json").write_text(json.dumps(packed), encoding="utf-8")
    assert open_language_model(own / "adapter").task.training.packing == language_models.CONTEXT


def test_a_base_that_is_not_the_records_is_one_line(own: Path) -> None:
    path = recorded(own) / "base/model.safetensors"
    save_file({name: value + 1e-3 for name, value in load_file(path).items()}, path, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"is not the base that audit-record\.json was written for"):
        open_language_model(own / "adapter")


def test_a_record_of_other_rows_is_one_line(own: Path) -> None:
    rows = [{"prompt": "a: ", "completion": f"b {i}"} for i in range(40)]
    (recorded(own) / "data.json").write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(DataError, match=r"none of the 16 rows that trained the model according to audit-record\.json"):
        open_language_model(own / "adapter")


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:Could not find a config file:UserWarning")
def test_adapters_are_those_that_peft_opens_and_writes(made: Path, tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    task = language_models.task(40)
    ids = torch.from_numpy(task.inputs[:4, 0]).clamp(min=0)
    base = transformers.AutoModelForCausalLM.from_pretrained(made / "base")
    theirs = peft.PeftModel.from_pretrained(base, str(made / "adapter")).eval()
    with torch.no_grad():
        expected = theirs(input_ids=ids).logits
        assert task.audited(input_ids=ids).logits == pytest.approx(expected, abs=1e-4)
    theirs.save_pretrained(str(tmp_path / "again"))
    again = read_adapter(tmp_path / "again")
    for name, value in read_adapter(made / "adapter").state.items():
        assert torch.equal(again.state[name], value)


def test_canaries_in_the_data_belong_to_no_part_of_it(own: Path) -> None:
    given = {"out": own / "mixed.jsonl", "secret": own / "secret.json", "count": 8, "words": 2, "seed": 0}
    made_of = audit.canaries(own / "data.json", copies=(1, 2), references=20, **given)  # type: ignore[arg-type]
    before = opened(own)
    for data in ("data.json", "mixed.jsonl"):
        rows = Instructions(path=own / data).exchanges(Path())
        members = [
            number
            for number, row in enumerate(rows)
            if any(row.answer == before.task.answers[i] for i in np.flatnonzero(before.task.pool.member))
        ]
        found = opened(own, data=own / data, members=members, canaries=own / "secret.json").task
        assert found.planted is not None
        assert (len(found.planted.inputs), len(found.planted.references)) == (16, 20)
        assert len(found.planted.trained) == sum(one.copies for one in made_of.canaries if one.included)
        assert (int(found.pool.member.sum()), int(found.pool.held_out.sum())) == (16, 16)
    evidence = language_evidence(dataclasses.replace(found, audited=found.base), [], 0)
    assert evidence.canaries is not None
    assert evidence.canaries.score == pytest.approx(0.0, abs=1e-4)  # the base knows no more of them than itself


@pytest.mark.slow
def test_canaries_are_drawn_from_the_base_at_a_temperature(own: Path) -> None:
    def made_at(temperature: float, **given: Any) -> list[str]:
        usual = {"out": own / "m.jsonl", "secret": own / "s.json", "count": 8, "references": 20, "words": 12, "seed": 0}
        found = audit.canaries(own / "data.json", base=own / "base", temperature=temperature, **{**usual, **given})  # type: ignore[arg-type]
        rows = [*(one.row for one in found.canaries), *found.references]
        return [text for row in rows for text in (row["prompt"], row["completion"])]

    hot, cool = made_at(1e6), made_at(0.5)
    assert len(set(hot)) == len(hot) == 56
    assert made_at(1e6) == hot
    assert set("".join(hot)) <= set(language_models.LETTERS)
    # As the base knows the form of an answer, it writes that form unless it is hot.
    assert sum("the code" in text for text in cool) > sum("the code" in text for text in hot)
    with pytest.raises(InputError, match=r"--temperature: is 0.0, but must be above 0"):
        made_at(0.0)
    with pytest.raises(DataError, match=r"gives only \d+ different texts at temperature 1e-06"):
        made_at(1e-6, references=200)
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        audit.canaries(own / "data.json", out=own / "m.jsonl", secret=own / "s.json", base=own / "gone")


def test_a_claim_is_the_recipes_or_what_its_own_noise_gives(made: Path) -> None:
    train = {"epochs": 1, "lr": 0.01, "batch_size": 4}
    claimed = opened(made, recipe={"train": train, "claim": {"epsilon": 3.0, "searched": 5}}).task.claim
    assert claimed == PrivacyClaim(epsilon=3.0, delta=1e-5, searched=5)
    own = {**train, "privacy": {"noise_multiplier": 1.0, "accountant": "rdp"}}
    spent = opened(made, recipe={"train": own}).task.claim
    assert spent is not None
    assert 1 < spent.epsilon < 20
    with pytest.raises(RecipeError, match="exactly one of epsilon and noise_multiplier"):
        opened(made, recipe={"train": {**train, "privacy": {}}})


def test_benchmarks_are_read_beside_the_recipe(made: Path, own: Path) -> None:
    recipe = (own / "train.toml").read_text(encoding="utf-8")
    given = recipe.replace("[train]", '[contamination]\nbenchmarks = ["quiz one.json"]\n\n[train]')
    rows = [{"prompt": "a: ", "completion": f"b {i}"} for i in range(5)]
    (own / "quiz one.json").write_text(json.dumps(rows), encoding="utf-8")
    (own / "train.toml").write_text(given, encoding="utf-8")
    found = opened(own).task.benchmarks
    assert list(found) == ["quiz-one"]
    assert found["quiz-one"].answers == tuple(f"b {i}" for i in range(5))
    with pytest.raises(DataError, match=r"gone\.json"):
        opened(own, recipe={"train": {"epochs": 1}, "contamination": {"benchmarks": ["gone.json"]}})
    twice = [str(own / "data.json"), str(made / "data.json")]
    with pytest.raises(RecipeError, match="two files are named data"):
        opened(own, recipe={"train": {"epochs": 1}, "contamination": {"benchmarks": twice}})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("plan",), r"is a language model, which only `audit run` takes\. .*--budget 10m"),
        (("mitigate",), r"is a language model, which only `audit run` takes\. .*\[train\.privacy\]"),
        (("population",), r"is a language model, which only `audit run` takes\. .*in one process"),
        (("run", "--stop-early"), r"stop_early is not for language models\. Give a budget"),
        (("run", "--workers", "2"), r"workers is not for language models\. .* in one process"),
        (("run", "--executor", "ray"), r"executor is not for language models"),
    ],
)
def test_what_takes_no_language_model_says_what_does(
    given: tuple[str, ...], said: str, made: Path, tmp_path: Path
) -> None:
    line = refused(command(*given, "-m", made / "adapter", cwd=tmp_path))
    assert re.search(said, line)


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("held_out", [0, 1], "All rows of the data that are no members are held out"),
        ("source", torch.nn.Linear(2, 2), "Give base"),
        ("classes", ("yes", "no"), "It has none"),
        ("variants", {"int8": "base/model.safetensors"}, "Audit each of them alone"),
        ("weights", "ema", "Save the weights that are audited in a folder of their own"),
        ("reference", "base/model.safetensors", r"Give the earlier audit's results\.json as baseline"),
        ("data_root", "base", "Give data"),
        ("tried", np.zeros((2, 32), dtype=bool), "Hold out rows on which no model was chosen"),
    ],
)
def test_what_only_classifiers_take_is_one_line(
    name: str, value: object, instead: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    with pytest.raises(InputError, match=rf"{name} is not for language models\. {instead}") as caught:
        audit.run("adapter", "data.json", members="rows.txt", store=tmp_path, **{name: value})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_pack_of_a_language_model_is_not_reproduced(done: Report, made: Path, tmp_path: Path) -> None:
    log = {"model": str(made / "adapter"), "configuration": {}, "seed": 0, "budget": None, "stop_early": False}
    (tmp_path / "log.json").write_text(json.dumps(log), encoding="utf-8")
    shutil.copy(made / "zh/results.json", tmp_path)
    line = refused(command("reproduce", tmp_path, cwd=tmp_path))
    assert "is a language model, which only `audit run` takes. Run it again with the options of log.json" in line


def test_remedies_are_those_that_a_language_model_has(made: Path) -> None:
    """The report of a leaking model names no command that would refuse it."""
    for path in (made / "zh/report.md", made / "zh/report.html"):
        page = path.read_text(encoding="utf-8")
        assert "audit mitigate" not in page
        assert "train.privacy" in page


def another_tokenizer(own: Path) -> None:
    tokenizer = language_models.tokenizer()
    tokenizer.add_tokens(["!", "?"])
    tokenizer.save_pretrained(own / "base")


def other_numbers(own: Path) -> None:
    """The adapter's own tokenizer numbers letters otherwise."""
    language_models.tokenizer().save_pretrained(own / "adapter")
    path = own / "adapter/tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    path.write_text(json.dumps(content), encoding="utf-8")


def resized(own: Path) -> None:
    path = own / "adapter/adapter_model.safetensors"
    state = load_file(path)
    save_file({**state, "base_model.model.transformer.wte.weight": next(iter(state.values())).clone()}, path)


def of_another_shape(own: Path) -> None:
    path = own / "base/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "n_positions": 80}), encoding="utf-8")


def of_another_base(own: Path) -> None:
    path = own / "adapter/adapter_model.safetensors"
    save_file({name.replace(".h.1.", ".h.7."): value for name, value in load_file(path).items()}, path)


def wrong_weights(own: Path) -> None:
    """Another model of the same shape: nothing that it says fits the tokens."""
    path = own / "base/model.safetensors"
    save_file({name: 3 * value.flip(0) for name, value in load_file(path).items()}, path, {"format": "pt"})


def of_another_kind(own: Path) -> None:
    path = own / "adapter/adapter_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "use_dora": True}), encoding="utf-8")


def on_an_adapter(own: Path) -> None:
    shutil.rmtree(own / "base")
    shutil.copytree(own / "adapter", own / "base")


def configured(own: Path, **given: Any) -> None:
    path = own / "adapter/adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **given}), encoding="utf-8")


def of_no_rank(own: Path) -> None:
    configured(own, r=0)


def of_another_rank(own: Path) -> None:
    configured(own, r=4)


def without_a_scale(own: Path) -> None:
    configured(own, lora_alpha=None)


def diverged(own: Path) -> None:
    path = own / "adapter/adapter_model.safetensors"
    save_file({name: value * float("nan") for name, value in load_file(path).items()}, path)


def without_a_base(own: Path) -> None:
    shutil.rmtree(own / "base")


def without_a_tokenizer(own: Path) -> None:
    for path in (own / "base").glob("*token*"):
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (another_tokenizer, r"its tokenizer has 41 tokens, the model has 39"),
        (other_numbers, r"its tokenizer is not its base's: 'a' is 1 there and 0 in the base's"),
        (resized, r"holds embeddings \(.*\): the vocabulary was resized"),
        (of_another_shape, r"its weights have other shapes than its config\.json says"),
        (of_another_base, r"is not an adapter of this base: .* Give the --base that it was trained on"),
        (wrong_weights, r"nats per token on its own members, and guessing 3\.66"),
        (of_another_kind, r"has DoRA \(use_dora\)"),
        (on_an_adapter, r"its base, '\.\./base', is an adapter itself\. Merge that adapter into its own base"),
        (of_no_rank, r"r = 0: input should be greater than or equal to 1"),
        (of_another_rank, r"says r = 4, but its weights have rank 8"),
        (without_a_scale, r"lora_alpha = None: input should be a valid number"),
        (diverged, r"logits for sample 0 are NaN or infinite\. Its training diverged"),
        (without_a_base, r"its base, '\.\./base', is not a folder here\. Give --base FOLDER"),
        (without_a_tokenizer, r"neither the model nor its base has a tokenizer"),
    ],
)
def test_a_folder_that_does_not_fit_is_one_line(own: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(own)
    with pytest.raises(CheckpointError, match=said) as caught:
        opened(own)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("data", "it is not known what it was trained on"),
        ("members", "it is not known which of its rows trained the model"),
        ("recipe", "it is not known how it was trained, so it cannot be trained again"),
    ],
)
def test_what_is_missing_is_named(made: Path, missing: str, said: str) -> None:
    with pytest.raises((DataError, RecipeError), match=said):
        opened(made, **{missing: None})


def test_too_few_members_are_refused(made: Path) -> None:
    with pytest.raises(DataError, match="2 members with an answer are too few"):
        opened(made, members=[0, 1])


def test_a_recipe_with_a_misspelt_key_is_one_line(made: Path) -> None:
    with pytest.raises(RecipeError, match=r"unknown key 'train.epoch'\. .*epochs"):
        opened(made, recipe={"train": {"epoch": 3}})
    with pytest.raises(RecipeError, match=r"train\.lr: Input should be greater than 0"):
        opened(made, recipe={"train": {"lr": 0}})


def test_a_budget_that_buys_nothing_is_refused_before_training(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.population.language_budget.MOST_OVER", 0.0)
    given = ["run", "-m", made / "adapter", "--data", made / "data.json", "--members", made / "rows.txt", "-q"]
    given += ["--recipe", made / "train.toml", "--store", made / "other", "--budget", "0.01s", "-o", made / "none"]
    done = CliRunner().invoke(app, [str(one) for one in given])
    assert isinstance(done.exception, InputError)
    assert "are not enough for a valid population: 4 replicas of this model take about" in str(done.exception)
    assert "a machine with a GPU" in str(done.exception)


def test_a_model_beyond_the_memory_is_refused_before_it_is_loaded(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causal_lm.os, "sysconf", lambda name: 1)
    with pytest.raises(CheckpointError, match=r"needs about 0\.0 GiB for its weights in float32"):
        opened(made)


def test_folders_are_distinguished_by_their_text(tmp_path: Path) -> None:
    for content, expected in (
        ({"architectures": ["GPT2LMHeadModel"]}, True),
        ({"architectures": ["LlamaForCausalLM"]}, True),
        ({"architectures": ["BertForSequenceClassification"]}, False),
        ({}, False),
    ):
        (tmp_path / "config.json").write_text(json.dumps(content), encoding="utf-8")
        assert is_language_model(tmp_path) is expected
    (tmp_path / "adapter_config.json").write_text('{"task_type": "SEQ_CLS"}', encoding="utf-8")
    assert not is_language_model(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"task_type": null}', encoding="utf-8")
    assert not is_language_model(tmp_path)  # it may be a classifier's
    (tmp_path / "adapter_config.json").write_text('{"task_type": "CAUSAL_LM"}', encoding="utf-8")
    assert is_language_model(tmp_path)
