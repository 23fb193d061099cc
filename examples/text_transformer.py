"""A Hugging Face transformer as a factory: here from a configuration; from a local folder use `from_pretrained`."""

from torch import Tensor, nn


class Classifier(nn.Module):
    """Token ids in, logits out; token 0 is padding."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model(input_ids=tokens, attention_mask=(tokens != 0).long()).logits


def tiny_bert(vocabulary: int, num_classes: int = 2) -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
        num_labels=num_classes,
    )
    return Classifier(BertForSequenceClassification(config))
