"""What is used of a tokenizer of transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Protocol

    class Tokenizer(Protocol):
        eos_token: str | None
        bos_token_id: int | None
        eos_token_id: int | None
        all_special_tokens: Sequence[str]
        all_special_ids: Sequence[int]
        model_max_length: int

        def __len__(self) -> int: ...

        def __call__(self, *texts: str | Sequence[str], **options: object) -> Mapping[str, Any]:
            """`input_ids` are the tokens of the text, or of each of several."""
            ...

        def apply_chat_template(
            self, conversation: Sequence[Mapping[str, str]], *, tokenize: bool, add_generation_prompt: bool = ...
        ) -> str: ...

        def convert_ids_to_tokens(self, ids: list[int]) -> Sequence[str]: ...

        def convert_tokens_to_string(self, tokens: list[str]) -> str: ...

        def decode(self, token_ids: list[int]) -> str: ...

        def get_vocab(self) -> Mapping[str, int]: ...

else:
    Tokenizer = object
"""Only type checkers see it: at run time anything that behaves so will do."""
