"""Attention by its definition, one query and one key at a time."""

import math

import numpy as np


def attention(query, key, value, allowed=None, bias=None, scale=None):
    """Weigh the values of each query; matrices, no leading axes."""
    scale = 1 / math.sqrt(query.shape[1]) if scale is None else scale
    output = np.zeros((len(query), value.shape[1]))
    for i, q in enumerate(query):
        keys = [j for j in range(len(key)) if allowed is None or allowed[i, j]]
        scores = [
            scale * sum(a * b for a, b in zip(q, key[j], strict=True))
            + (0 if bias is None else bias[i, j])
            for j in keys
        ]
        exponentials = [math.exp(score - max(scores)) for score in scores]
        for j, exponential in zip(keys, exponentials, strict=True):
            output[i] += exponential / sum(exponentials) * value[j]
    return output


def multi_head(x, context, params, num_heads, allowed=None, scale=None, reach=None):
    """Attend in each head of each example, with relative positions if given."""
    result = []
    size = params["W_query"].shape[1] // num_heads
    for n in range(len(x)):
        heads = []
        for h in range(num_heads):
            part = slice(h * size, (h + 1) * size)
            q, k, v = (
                source[n] @ params[f"W_{name}"][:, part]
                for source, name in ((x, "query"), (context, "key"), (context, "value"))
            )
            q, v = q + params["b_query"][part], v + params["b_value"][part]
            factor = 1 / math.sqrt(size) if scale is None else scale
            bias = np.zeros((len(q), len(k)))
            for i, j in np.ndindex(*bias.shape):
                if reach is not None:
                    row = min(max(j - i, -reach), reach) + reach
                    bias[i, j] += params["position_bias"][row, h]
                    bias[i, j] += factor * q[i] @ params["position_keys"][row]
            mask = None if allowed is None else allowed[n]
            heads.append(attention(q, k, v, mask, bias, factor))
        result.append(np.hstack(heads) @ params["W_out"] + params["b_out"])
    return np.array(result)


def sinusoids(position, size, longest):
    """Write one number as sines and cosines."""
    result = []
    for index in range(size):
        angle = position / longest ** (2 * (index // 2) / size)
        result.append(math.cos(angle) if index % 2 else math.sin(angle))
    return result
