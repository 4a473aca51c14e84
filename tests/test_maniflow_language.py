"""Instructions: how they become numbers, and that a policy does what it is told."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from finetuning import actor_critic, generators
from test_maniflow_policy import TINY, train
from toy import TINY as TINY_SETTINGS
from toy import TOY, bench, toy_store

from benchmark.data.index import EpisodeIndex
from benchmark.data.store import TrajectoryStore
from benchmark.data.windows import Windows
from benchmark.results.records import EpisodeRecord
from envs.schema import Interface, ManigymError
from policies.maniflow import ManiFlowPolicy, language
from policies.maniflow.language import HashedWords, chosen_language, text_encoder
from policies.normalize import Normalizer

LEFT, RIGHT = "push the disc to the left", "push the disc to the right"
SPOKEN = Interface("Test/env-v0", 2, {"proprio": ((3,), "float32"), "instruction": ((), "str")})
TOLD = replace(TINY, observations=["proprio", "instruction"], language="hashed")
UNTOLD = replace(TINY, observations=["proprio"])


@pytest.fixture(autouse=True)
def fresh_encoders():
    """Encoders live as long as the process; a test may not meet another one's."""
    yield
    text_encoder.cache_clear()
    chosen_language.cache_clear()


def text(*sentences: str) -> np.ndarray:
    return np.array(sentences)


def test_hashed_words_are_words_and_pairs_of_neighbours():
    (vector,) = HashedWords().encode(text("Pick it up!"))
    assert vector.dtype == np.float32
    # pick, it, up, "pick it", "it up": five places, none shared here
    assert sorted(np.abs(vector[vector != 0])) == pytest.approx([5**-0.5] * 5)
    parts = HashedWords().encode(text("pick", "it", "up", "pick it", "it up"))
    pairs = [parts[i] * np.sqrt(np.count_nonzero(parts[i])) for i in range(5)]
    together = pairs[3] + pairs[4] - pairs[1]  # "it" is in both
    np.testing.assert_allclose(vector, together / np.sqrt(5), atol=1e-6)


def test_hashed_words_hear_order_but_not_capitals_or_stops():
    encoder = HashedWords()
    base, same, turned, empty = encoder.encode(
        text("red cup, blue box", "Red cup blue box.", "blue cup, red box", "")
    )
    assert np.array_equal(base, same)
    assert not np.array_equal(base, turned)
    assert not empty.any()


def test_hashed_words_are_the_same_on_every_machine():
    """`printf mug | b2sum -l 64` is dbcfc516 25a33801: its first byte is the place, the highest bit
    of its last one the sign."""
    (vector,) = HashedWords().encode(text("mug"))
    (place,) = np.flatnonzero(vector)
    assert (int(place), float(vector[place])) == (0xDB, -1.0)


def test_a_sentence_is_encoded_once(monkeypatch):
    asked = []
    honest = HashedWords._vector
    monkeypatch.setattr(HashedWords, "_vector", lambda s, x: asked.append(x) or honest(s, x))
    encoder = HashedWords()
    encoder.read([LEFT, RIGHT, LEFT])
    batch = encoder.encode(np.array([[LEFT, LEFT], [RIGHT, RIGHT], [LEFT, LEFT]]))
    assert batch.shape == (3, 2, 256)
    assert np.array_equal(batch[0], batch[2])
    assert sorted(asked) == [LEFT, RIGHT]


def two_targets(seed: int, rows: int) -> dict:
    """Half of the rows go to +0.8, half to -0.8: only the sentence says where to."""
    rng = np.random.default_rng(seed)
    side = rng.permutation(np.arange(rows) % 2)
    sentences = np.where(side == 1, RIGHT, LEFT)
    proprio = rng.uniform(-1, 1, (rows, TINY.n_obs, 3)).astype(np.float32)
    action = np.where(side == 1, 0.8, -0.8).astype(np.float32)
    return {
        "obs": {"proprio": proprio, "instruction": np.repeat(sentences[:, None], 2, axis=1)},
        "action": np.broadcast_to(action[:, None, None], (rows, TINY.horizon, 2)).copy(),
    }


def trained(config) -> ManiFlowPolicy:
    data = two_targets(0, 400)
    normalizer = Normalizer.fit({"proprio": data["obs"]["proprio"], "action": data["action"]})
    policy = ManiFlowPolicy.build(replace(config, consistency_ratio=0.0), SPOKEN, normalizer)
    train(policy, lambda step: two_targets(step, 64), 250, rate=3e-3)
    return policy


@torch.inference_mode()
def error_at_the_start(policy: ManiFlowPolicy) -> float:
    """Mean squared error of the velocity at t = 0, where the noise says nothing of the action."""
    data = two_targets(10_000, 512)
    network = policy.network
    target = network.normalizer.normalize("action", torch.from_numpy(data["action"]))
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    zero = torch.zeros(len(noise))
    cond = network.encode(policy.tensors(data["obs"]))
    found = network.transformer(noise, zero, zero, cond)
    return (found - (target - noise)).square().mean().item()


def followed(policy: ManiFlowPolicy) -> float:
    """Share of episodes that go where they are told."""
    data = two_targets(10_000, 200)
    actions = policy.act(data["obs"], policy.start(SPOKEN, range(200)))
    return float((np.sign(actions.mean((1, 2))) == np.sign(data["action"][:, 0, 0])).mean())


@pytest.fixture(scope="module")
def told() -> ManiFlowPolicy:
    return trained(TOLD)


def test_a_policy_that_hears_does_what_it_is_told_and_one_that_does_not_cannot(told):
    """Without the sentence nothing beats the mean of -1 and 1 (normalised) at t = 0, whose squared
    error is their variance, 1. With it the target is known."""
    untold = trained(UNTOLD)
    assert 0.97 < error_at_the_start(untold) < 1.5
    assert error_at_the_start(told) < 0.2
    assert followed(told) == 1
    assert 0.4 < followed(untold) < 0.6


def test_checkpoints_remember_the_encoder_and_refuse_another(tmp_path, monkeypatch):
    policy = ManiFlowPolicy.build(TOLD, SPOKEN, Normalizer({}))
    path = tmp_path / "policy.pt"
    policy.save(path)
    obs = two_targets(0, 4)["obs"]
    loaded = ManiFlowPolicy.load(path)
    assert loaded.config.language == "hashed"
    assert "language" not in loaded.record
    assert np.array_equal(
        loaded.act(obs, loaded.start(SPOKEN, range(4))),
        policy.act(obs, policy.start(SPOKEN, range(4))),
    )
    with pytest.raises(ManigymError, match=r"policy\.language is fixed by training"):
        ManiFlowPolicy.from_options(path, {"language": "openai/clip-vit-base-patch32"})
    honest = HashedWords._vector
    monkeypatch.setattr(HashedWords, "_vector", lambda s, x: honest(s, x)[::-1])
    text_encoder.cache_clear()
    with pytest.raises(ManigymError, match="trained with another text encoder"):
        ManiFlowPolicy.load(path)


def test_without_transformers_auto_hashes_and_says_so_once(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "transformers", None)
    config = replace(TOLD, language="auto")
    assert config.resolved().language == config.resolved().language == "hashed"
    assert capsys.readouterr().out.count("policy.language=auto: hashed") == 1
    with pytest.raises(ManigymError, match=r'needs transformers .*-e "\.\[language\]"'):
        ManiFlowPolicy.build(replace(TOLD, language="some/model"), SPOKEN, Normalizer({}))
    replace(UNTOLD, language="auto").resolved()  # nothing to say
    assert capsys.readouterr().out == ""


def test_a_policy_must_see_something_too():
    with pytest.raises(ManigymError, match="see something beside the instruction"):
        replace(TOLD, observations=["instruction"]).resolved()


def test_fine_tuning_hears_too(told):
    ac = actor_critic(told)
    obs = ac.tensors(two_targets(1, 6)["obs"])
    assert obs["instruction"].shape == (6, 2, 256)
    chain, old = ac.sample(obs, generators(6))
    new, _ = ac.logprob(obs, chain)
    assert (new - old).abs().max() < 1e-3
    other = ac.tensors(two_targets(1, 6)["obs"] | {"instruction": np.full((6, 2), "stay")})
    assert (ac.logprob(other, chain)[0] - old).abs().max() > 0.1
    assert not torch.equal(ac.value(other), ac.value(obs))


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    return toy_store(tmp_path_factory.mktemp("language") / "demos", 6).path


def rewritten(path, sentences: list[str]) -> TrajectoryStore:
    """The store with other instructions, by episode id."""
    index = EpisodeIndex.load(path)
    order = np.argsort(np.argsort(index.episode_id))
    replace(index, instruction=np.array(sentences)[order]).save(path)
    return TrajectoryStore.open(path)


@pytest.fixture
def spoken(demos, tmp_path):
    shutil.copytree(demos, tmp_path / "demos")
    return tmp_path / "demos"


def test_windows_carry_the_sentence_of_their_episode(spoken):
    store = rewritten(spoken, [f"episode {i}" for i in range(6)])
    windows = Windows(store, n_obs=2, horizon=4, obs_keys=["proprio", "instruction"])
    numbers = np.arange(len(windows))
    episode, _ = windows.locate(numbers)
    heard = windows.batch(numbers)["obs"]["instruction"]
    assert heard.shape == (len(windows), 2)
    assert (heard == np.array([f"episode {i}" for i in episode])[:, None]).all()


def test_the_hash_of_a_store_may_cover_its_sentences(spoken):
    before = TrajectoryStore.open(spoken)
    plain, whole = before.content_hash(), before.content_hash(instructions=True)
    after = rewritten(spoken, [LEFT] * 6)
    assert after.content_hash() == plain
    assert after.content_hash(instructions=True) != whole


def test_training_needs_a_sentence_for_every_episode(spoken, tmp_path, capsys):
    store = rewritten(spoken, [LEFT, "", RIGHT, "", LEFT, LEFT])
    status = bench(*TRAIN, "--out", tmp_path, "--data", spoken)
    assert status == 2
    said = capsys.readouterr()
    missing = f"2 of 6 episodes have no instruction (the first is {store.ids[1]})"
    assert missing in said.out + said.err


HEARING = ("policy.observations=[proprio,state,instruction]", "policy.language=hashed")
TRAIN = ("train", "--policy", "maniflow", "--env", TOY, *HEARING, *TINY_SETTINGS,
         "policy.normalization.action/arm=identity", "training.steps=5",
         "training.warmup_steps=1")  # fmt: skip


def test_from_demonstrations_to_episodes_here_and_in_a_worker(tmp_path):
    assert bench(*TRAIN, "--out", tmp_path, "--demonstrations", 4) == 0
    (checkpoint,) = tmp_path.glob("training/*/checkpoint.pt")
    policy = ManiFlowPolicy.load(checkpoint)
    assert policy.keys == ("proprio", "state", "instruction")
    assert set(policy.network.normalizer.keys) == {"proprio", "state"}  # the arm is all there is
    assert policy.spec.observations == ("proprio", "state", "instruction")
    hashes = []
    for isolation in ("in_process", "process"):
        out = tmp_path / isolation
        status = bench("run", "--policy", "maniflow", "--env", TOY, "--checkpoint", checkpoint,
                       "--out", out, "--episodes", 3, "--isolation", isolation)  # fmt: skip
        assert status == 0
        (records,) = out.glob("maniflow-*/episodes.jsonl")
        lines = records.read_text().splitlines()
        hashes.append([EpisodeRecord.from_json(line).action_hash for line in lines])
    assert len(hashes[0]) == 3
    assert hashes[0] == hashes[1]


@pytest.fixture
def tiny_model(tmp_path):
    """A BERT of one layer with random weights, saved as Hugging Face saves models."""
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted({*LEFT.split(), "right"})]
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=len(words), intermediate_size=16, **sizes)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_a_transformer_is_its_mean_hidden_state(tiny_model, tmp_path):
    from transformers import AutoTokenizer, BertModel

    vector = text_encoder(str(tiny_model)).encode(text(LEFT))[0]
    tokens = AutoTokenizer.from_pretrained(tiny_model)(LEFT, return_tensors="pt")
    assert tokens["input_ids"].shape == (1, 8)  # six words between two marks
    with torch.inference_mode():
        model = BertModel.from_pretrained(tiny_model).eval()
        mean = model(**tokens).last_hidden_state[0].mean(0)
    np.testing.assert_allclose(vector, mean / mean.norm(), atol=1e-6)


def test_a_policy_with_a_transformer_is_told_and_knows_its_model(tiny_model, tmp_path):
    config = replace(TOLD, language=str(tiny_model))
    policy = trained(config)
    assert followed(policy) == 1
    assert not any("bert" in name for name in policy.module.state_dict())
    policy.save(tmp_path / "policy.pt")
    text_encoder.cache_clear()
    loaded = ManiFlowPolicy.load(tmp_path / "policy.pt")
    assert followed(loaded) == 1
    other = language.Transformer(str(tiny_model))
    with torch.no_grad():
        other._model.embeddings.word_embeddings.weight.mul_(-1)
    other._model.save_pretrained(tiny_model)
    text_encoder.cache_clear()
    with pytest.raises(ManigymError, match="trained with another text encoder"):
        ManiFlowPolicy.load(tmp_path / "policy.pt")


def test_a_model_that_is_not_there_is_named(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(ManigymError, match="cannot be loaded as a text encoder"):
        text_encoder(str(tmp_path / "nothing"))
