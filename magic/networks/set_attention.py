"""Attention over the K elements of a set, at every pixel by itself (Set Transformer, Lee et al. 2019)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

MOST_PIXELS = 32_768
"""Attended to at once: the fused kernels of GPUs take no batch above 65,535, the limit of a CUDA grid."""


class Attention(nn.Module):
    """Multihead attention: a residual step by which each row of x takes from the rows of y.

    Layer norm comes before each part (Xiong et al. 2020) rather than behind it as in Lee et al.: features keep a
    direct way through all blocks, and short trainings converge without a warm-up.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.output = nn.Linear(channels, channels)
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.feed_forward = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "P X C"], y: Float[Tensor, "P Y C"]) -> Float[Tensor, "P X C"]:
        """The multihead attention block MAB(x, y) of Lee et al."""
        given = self.norm(x)
        seen = given if y is x else self.norm(y)
        query, (key, value) = self._split(self.query(given), 1)[0], self._split(self.key_value(seen), 2)
        mixed = _attend(query, key, value)  # [P heads X C/heads]
        x = x + self.output(mixed.transpose(1, 2).flatten(2))
        return x + F.relu(self.feed_forward(self.feed_forward_norm(x)))

    def _split(self, tokens: Tensor, parts: int) -> Tensor:
        """[P n parts*C] -> [parts P heads n C/heads]."""
        p, n, c = tokens.shape
        return tokens.view(p, n, parts, self.heads, c // parts // self.heads).permute(2, 0, 3, 1, 4)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention, over so many pixels at a time as every kernel takes."""
    if len(query) <= MOST_PIXELS:
        return F.scaled_dot_product_attention(query, key, value)
    parts = zip(*(torch.split(tokens, MOST_PIXELS) for tokens in (query, key, value)), strict=True)
    return torch.cat([F.scaled_dot_product_attention(*part) for part in parts])


class SetAttention(nn.Module):
    """A set attention block: each pixel's K feature vectors attend to one another.

    Without any code for the position in the set, permuting the elements permutes the output. With inducing points
    (ISAB, section 3.1 of Lee et al.) learned points first gather from the elements, which then take from the points.
    """

    def __init__(self, channels: int, heads: int, inducing_points: int | None = None) -> None:
        super().__init__()
        self.attention = Attention(channels, heads)
        self.gather = None
        if inducing_points:
            self.gather = Attention(channels, heads)
            self.points = nn.Parameter(torch.empty(1, inducing_points, channels))
            nn.init.xavier_uniform_(self.points)

    def forward(self, x: Float[Tensor, "BK C h w"], num_elements: int) -> Float[Tensor, "BK C h w"]:
        """Let the elements of each set see one another; sets are consecutive runs of num_elements images."""
        _, c, h, w = x.shape
        tokens = x.view(-1, num_elements, c, h, w).permute(0, 3, 4, 1, 2).reshape(-1, num_elements, c)
        seen = tokens if self.gather is None else self.gather(self.points.expand(len(tokens), -1, -1), tokens)
        tokens = self.attention(tokens, seen)  # [B*h*w K C]
        mixed = tokens.view(-1, h, w, num_elements, c).permute(0, 3, 4, 1, 2)
        return mixed.reshape(-1, c, h, w)  # type: ignore[no-any-return]
