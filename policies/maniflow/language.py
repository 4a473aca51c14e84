"""Instructions to vectors: a frozen text encoder, or hashed words where there is none.

A sentence is encoded alone, on the CPU and once: its bits then depend on nothing else. What is
trained is the linear layer behind it (`policies.maniflow.encoders.Instructed`).
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from envs.schema import ManigymError

HASHED = "hashed"
HASHED_SIZE = 256
DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
INSTALL = 'pip install -c constraints.txt -e ".[language]"'
PROBE = "Pick up the red mug from the table and put it into the sink."
PROBE_TOLERANCE = 1e-3
"""Far above the rounding of other machines and versions, far below another model's difference."""


class TextEncoder(ABC):
    """Sentences to vectors of length 1, float32 (`size`,); every sentence is computed once."""

    name: str
    size: int

    def __init__(self) -> None:
        self._known: dict[str, np.ndarray] = {}

    def encode(self, sentences: np.ndarray) -> np.ndarray:
        """Text (...) -> float32 (..., size)."""
        self.read(sentences.flat)
        vectors = [self._known[str(sentence)] for sentence in sentences.flat]
        return np.stack(vectors).reshape(*sentences.shape, self.size)

    def read(self, sentences: Iterable[str]) -> None:
        """Compute what is not known yet."""
        for sentence in {str(s) for s in sentences} - self._known.keys():
            vector = self._vector(sentence)
            self._known[sentence] = (vector / max(np.linalg.norm(vector), 1e-12)).astype(np.float32)

    def probe(self) -> list[float]:
        """The vector of one fixed sentence, by which the encoder is known again."""
        return self.encode(np.array(PROBE)).tolist()

    def check(self, probe: list[float]) -> None:
        """Raise unless `probe` is this encoder's."""
        found = self.probe()
        if len(probe) != self.size or not np.allclose(found, probe, rtol=0, atol=PROBE_TOLERANCE):
            raise ManigymError(
                f"the policy was trained with another text encoder than what {self.name!r} is here "
                "(the same sentence gives other numbers); put back the one it was trained with"
            )

    @abstractmethod
    def _vector(self, sentence: str) -> np.ndarray:
        """float (size,), of any length."""


class HashedWords(TextEncoder):
    """A bag of words and of pairs of neighbours, each hashed to a place and a sign.

    It knows no meanings: words it was not trained on are noise. The hash (BLAKE2b) is the same on
    every machine. Weinberger et al. 2009 (arXiv 0902.2206).
    """

    name = HASHED
    size = HASHED_SIZE

    def _vector(self, sentence: str) -> np.ndarray:
        words = re.findall(r"\w+", sentence.lower())
        vector = np.zeros(self.size)
        for term in (*words, *map(" ".join, pairwise(words))):
            code = int.from_bytes(hashlib.blake2b(term.encode(), digest_size=8).digest(), "little")
            vector[code % self.size] += 1.0 if code >> 63 else -1.0
        return vector


class Transformer(TextEncoder):
    """The mean of a frozen transformer's last hidden states over the tokens of the sentence.

    Any text encoder of `transformers` (BERT-like, MiniLM, CLIP, T5), by its name or folder;
    `local` does not download.
    """

    def __init__(self, name: str, local: bool = False) -> None:
        super().__init__()
        from transformers import AutoModel, AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(name, local_files_only=local)
        model: Any = AutoModel.from_pretrained(name, local_files_only=local)
        if getattr(model.config, "is_encoder_decoder", False):
            model = model.get_encoder()
        self._model = getattr(model, "text_model", model).float().eval()  # of CLIP, the text half
        self.name = name
        self.size = len(self._vector(PROBE))

    def _vector(self, sentence: str) -> np.ndarray:
        tokens = self._tokenizer(sentence, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            states = self._model(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            ).last_hidden_state
        vector: np.ndarray = states[0].mean(0).double().numpy()
        return vector


@cache
def text_encoder(name: str) -> TextEncoder:
    """The encoder of this name, one for the whole process; why it cannot be had is an error."""
    if name == HASHED:
        return HashedWords()
    try:
        return Transformer(name)
    except ImportError as error:
        raise ManigymError(
            f"policy.language={name} needs transformers ({error}): {INSTALL}. A policy trained "
            f"with it runs with nothing else; before training, policy.language={HASHED} does "
            "without"
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise ManigymError(
            f"policy.language={name} cannot be loaded as a text encoder ({_first_line(error)}). "
            "Give the folder or the huggingface.co name of one; a policy trained with it runs with "
            f"nothing else; before training, policy.language={HASHED} does without"
        ) from error


@cache
def chosen_language(setting: str) -> str:
    """What `policy.language` stands for on this machine; `auto` is decided, and said, once.

    It takes `DEFAULT_MODEL` where that is on this machine already, and else hashed words: nothing
    is downloaded that was not named.
    """
    if setting != "auto":
        return setting
    try:
        Transformer(DEFAULT_MODEL, local=True)
    except (ImportError, OSError, ValueError) as error:
        print(f"policy.language=auto: {HASHED} ({DEFAULT_MODEL}: {_first_line(error)})")
        return HASHED
    print(f"policy.language=auto: {DEFAULT_MODEL}")
    return DEFAULT_MODEL


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]
