"""
The quickstart's model by hand in PyTorch: a Qwen2.5-VL in miniature. Vision: patches, 2-D rotary positions, RMSNorm,
SwiGLU, full attention, 2×2 merger. Decoder: positions of three axes, grouped queries, head tied to the embeddings.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

THETA = 10_000.0
PATCH_VALUES = 2 * 3 * 14 * 14  # two frames of three channels


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, 1e-6)


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class SwiGLU(nn.Module):
    def __init__(self, width, inner, bias):
        super().__init__()
        self.gate = nn.Linear(width, inner, bias=bias)
        self.up = nn.Linear(width, inner, bias=bias)
        self.down = nn.Linear(inner, width, bias=bias)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class VisionBlock(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = SwiGLU(width, inner, bias=True)

    def forward(self, x, cos, sin):
        B, T, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        x = x + self.out(attended.transpose(1, 2).reshape(B, T, D))
        return x + self.mlp(self.norm2(x))


class Block(nn.Module):
    def __init__(self, width, heads, kv_heads, inner):
        super().__init__()
        self.heads, self.kv_heads, self.size = heads, kv_heads, width // heads
        self.norm1, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, kv_heads * self.size)
        self.v = nn.Linear(width, kv_heads * self.size)
        self.out = nn.Linear(width, width, bias=False)
        self.mlp = SwiGLU(width, inner, bias=False)

    def forward(self, x, cos, sin, mask, cache=None):
        """cache: (keys, values, tokens in it), written in place."""
        B, T, D = x.shape
        y = self.norm1(x)
        q = rotate(self.q(y).view(B, T, self.heads, self.size).transpose(1, 2), cos, sin)
        k = rotate(self.k(y).view(B, T, self.kv_heads, self.size).transpose(1, 2), cos, sin)
        v = self.v(y).view(B, T, self.kv_heads, self.size).transpose(1, 2)
        if cache is not None:
            keys, values, n = cache
            keys[:, :, n : n + T], values[:, :, n : n + T] = k, v
            k, v = keys[:, :, : n + T], values[:, :, : n + T]
        share = self.heads // self.kv_heads
        k = k[:, :, None].expand(-1, -1, share, -1, -1).reshape(B, self.heads, -1, self.size)
        v = v[:, :, None].expand(-1, -1, share, -1, -1).reshape(B, self.heads, -1, self.size)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(attended.transpose(1, 2).reshape(B, T, D))
        return x + self.mlp(self.norm2(x))


class Model(nn.Module):
    def __init__(self, a, vocabulary, grid):
        """a: the recipe's architecture; grid: merged picture tokens a side."""
        super().__init__()
        self.a, self.grid = a, grid
        width, vision = a["hidden"], a["vision_hidden"]
        self.embed = nn.Embedding(vocabulary, width)
        self.patch = nn.Linear(PATCH_VALUES, vision, bias=False)
        self.vision_blocks = nn.ModuleList(
            VisionBlock(vision, a["vision_heads"], a["vision_intermediate"]) for _ in range(a["vision_layers"])
        )
        self.merge_norm = RMSNorm(vision)
        self.merge1, self.merge2 = nn.Linear(4 * vision, 4 * vision), nn.Linear(4 * vision, width)
        self.blocks = nn.ModuleList(
            Block(width, a["heads"], a["kv_heads"], a["intermediate"]) for _ in range(a["layers"])
        )
        self.norm = RMSNorm(width)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, 0, 0.02 if p is self.embed.weight else 1 / math.sqrt(p.shape[1]))
        size = width // a["heads"]
        self.frequencies = THETA ** -(torch.arange(0, size, 2).float() / size)
        section = size // 6
        self.axis = torch.tensor([0] * (size // 2 - 2 * section) + [1] * section + [2] * section)
        quarter = vision // a["vision_heads"] // 2
        f = THETA ** -(torch.arange(0, quarter, 2).float() / quarter)
        # the four patches of a merged token lie together
        cells = [(r, q) for r in range(grid) for q in range(grid)]
        at = torch.tensor([(2 * r + i, 2 * q + j) for r, q in cells for i in (0, 1) for j in (0, 1)]).float()
        angle = torch.cat([at[:, :1] * f, at[:, 1:] * f], -1)
        angle = torch.cat([angle, angle], -1)
        self.vision_cos, self.vision_sin = angle.cos(), angle.sin()

    def picture_tokens(self, patches):
        """(B, 4·grid², PATCH_VALUES) → (B, grid², hidden)"""
        x = self.patch(patches)
        for block in self.vision_blocks:
            x = block(x, self.vision_cos, self.vision_sin)
        x = self.merge_norm(x)
        return self.merge2(F.gelu(self.merge1(x.view(x.shape[0], -1, 4 * x.shape[-1]))))

    def forward(self, patches, ids, positions, valid, cache=None, cached=0, mask=None):
        """Hidden states of (B, T) ids at positions (B, T, 3); `valid` masks padding."""
        x = self.embed(ids)
        if patches is not None:
            x = torch.cat([x[:, :1], self.picture_tokens(patches), x[:, 1 + self.grid**2 :]], 1)
        if mask is None:
            mask = causal(valid)
        angle = positions.float()[..., self.axis] * self.frequencies
        angle = torch.cat([angle, angle], -1)[:, None]
        cos, sin = angle.cos(), angle.sin()
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin, mask, None if cache is None else (*cache[i], cached))
        return self.norm(x)

    def logits(self, hidden):
        return hidden @ self.embed.weight.T


def causal(valid):
    T = valid.shape[1]
    before = torch.ones(T, T, dtype=torch.bool).tril()[None, None]
    return before & (valid[:, None, None, :] | torch.eye(T, dtype=torch.bool))
