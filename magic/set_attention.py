"""Attention over the K elements of a set, at every pixel by itself (Set Transformer, Lee et al. 2019)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class SetAttention(nn.Module):
    """A set attention block: each pixel's K feature vectors attend to one another.

    Without any code for the position in the set, permuting the elements permutes the output. Layer norm comes
    before each part (Xiong et al. 2020) rather than behind it as in Lee et al.: features keep a direct way
    through all blocks, and short trainings converge without a warm-up.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.output = nn.Linear(channels, channels)
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.feed_forward = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "BK C h w"], num_elements: int) -> Float[Tensor, "BK C h w"]:
        """Let the elements of each set see one another; sets are consecutive runs of num_elements images."""
        _, c, h, w = x.shape
        tokens = x.view(-1, num_elements, c, h, w).permute(0, 3, 4, 1, 2).reshape(-1, num_elements, c)
        tokens = tokens + self._attend(self.attention_norm(tokens))  # [B*h*w K C]
        tokens = tokens + F.relu(self.feed_forward(self.feed_forward_norm(tokens)))
        mixed = tokens.view(-1, h, w, num_elements, c).permute(0, 3, 4, 1, 2)
        return mixed.reshape(-1, c, h, w)

    def _attend(self, tokens: Float[Tensor, "P K C"]) -> Float[Tensor, "P K C"]:
        p, k, c = tokens.shape
        qkv = self.query_key_value(tokens).view(p, k, 3, self.heads, c // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each [P heads K C/heads]
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.output(mixed.transpose(1, 2).reshape(p, k, c))  # type: ignore[no-any-return]
