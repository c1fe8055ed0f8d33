"""Attention over the K elements of a set, for each pixel separately (Set Transformer, Lee et al. 2019)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

MAX_PIXELS_AT_ONCE = 32_768
"""Pixels in one call of the attention kernel. The fused kernels of GPUs refuse a batch of more than 65,535, the limit
of a CUDA grid's second and third dimension."""


class Attention(nn.Module):
    """Multihead attention with a residual connection and a feed-forward layer: rows of x attend to rows of y.

    Layer norm comes before attention and before the feed-forward layer (Xiong et al. 2020), not after them as in Lee
    et al. Features then pass through all blocks unchanged by norms, and short trainings converge without a warm-up.
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
        """The multihead attention block MAB(x, y) of Lee et al., for P pixels with X and Y rows each."""
        normed_x = self.norm(x)
        normed_y = normed_x if y is x else self.norm(y)
        query, (key, value) = self._split(self.query(normed_x), 1)[0], self._split(self.key_value(normed_y), 2)
        mixed = _attend(query, key, value)  # [P heads X C/heads]
        x = x + self.output(mixed.transpose(1, 2).flatten(2))
        return x + F.relu(self.feed_forward(self.feed_forward_norm(x)))

    def _split(self, tokens: Tensor, parts: int) -> Tensor:
        """Separate what one linear layer made, and the heads: [P n parts*C] -> [parts P heads n C/heads]."""
        p, n, c = tokens.shape
        return tokens.view(p, n, parts, self.heads, c // parts // self.heads).permute(2, 0, 3, 1, 4)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention, in parts that are small enough for every kernel."""
    if len(query) <= MAX_PIXELS_AT_ONCE:
        return F.scaled_dot_product_attention(query, key, value)
    parts = zip(*(torch.split(tokens, MAX_PIXELS_AT_ONCE) for tokens in (query, key, value)), strict=True)
    return torch.cat([F.scaled_dot_product_attention(*part) for part in parts])


class SetAttention(nn.Module):
    """A set attention block: the K feature vectors of each pixel attend to one another.

    There is no code for the position in the set, so permuting the elements permutes the output and changes nothing
    else. With inducing points (ISAB, section 3.1 of Lee et al.), learned points attend to the elements, and then the
    elements attend to the points: the cost grows with K and not with its square.

    Args:
        channels: C of the features; heads must divide it.
        heads: number of attention heads.
        inducing_points: number of learned points; None: elements attend to each other directly.
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
        """Attend within each set.

        Args:
            x: features of B sets of K elements, the elements of a set one after the other.
            num_elements: K.
        """
        _, c, h, w = x.shape
        tokens = x.view(-1, num_elements, c, h, w).permute(0, 3, 4, 1, 2).reshape(-1, num_elements, c)
        attended = tokens if self.gather is None else self.gather(self.points.expand(len(tokens), -1, -1), tokens)
        tokens = self.attention(tokens, attended)  # [B*h*w K C]
        mixed = tokens.view(-1, h, w, num_elements, c).permute(0, 3, 4, 1, 2)
        return mixed.reshape(-1, c, h, w)  # type: ignore[no-any-return]
