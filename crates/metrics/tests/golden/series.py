"""Golden values of src/series, by numpy in the words of the formulas.   needs numpy"""
import numpy as np


def gru(x, weights, inputs, units):
    """torch.nn.GRU (its documentation's equations), one layer, with a linear output a row; weights as src/series/gru.rs lays them out."""
    g, at = 3 * units, 0
    def take(*shape):
        nonlocal at
        n = int(np.prod(shape)); at += n
        return weights[at - n:at].reshape(shape)
    W, U, b, c, o, d = take(inputs, g), take(units, g), take(g), take(g), take(units), take(1)
    s = lambda v: 1 / (1 + np.exp(-v))
    out = []
    for sequence in x:
        h = np.zeros(units)
        for row in sequence:
            i, k = np.split(row @ W + b, 3), np.split(h @ U + c, 3)
            r, z = s(i[0] + k[0]), s(i[1] + k[1])
            n = np.tanh(i[2] + r * k[2])
            h = (1 - z) * n + z * h
            out.append(float(h @ o + d[0]))
    return out


i = np.arange(24)
x = ((i * 37 % 101) / 101 - .3).reshape(2, 4, 3)
count = 6 * (3 + 2 + 2) + 2 + 1
print('gru', gru(x, np.sin(np.arange(1, count + 1)), 3, 2))


def contrast(a, b):
    """Items along axis 0, groups along axis 1."""
    z = np.concatenate([a, b]).transpose(1, 0, 2); n = len(a); total = []
    for group in z:
        s = group @ group.T
        for item in range(2 * n):
            others = [k for k in range(2 * n) if k != item]
            total.append(np.log(np.exp(s[item, others]).sum()) - s[item, (item + n) % (2 * n)])
    return np.mean(total)


def hierarchical(a, b):
    loss, levels = 0, 0
    while True:
        loss += .5 * contrast(a, b); levels += 1
        if a.shape[1] == 1: return loss / levels
        loss += .5 * contrast(a.transpose(1, 0, 2), b.transpose(1, 0, 2))
        h = a.shape[1] // 2
        a, b = (v[:, :2 * h].reshape(len(v), h, 2, -1).max(2) for v in (a, b))


i = np.arange(30)
print('ts2vec loss', hierarchical(np.cos(i).reshape(2, 5, 3), np.sin(2 * i).reshape(2, 5, 3)))


def windows(factor):
    i = np.arange(180)
    return (((i * factor) % 97) / 97) ** (1 + i % 3)

a, b = (windows(f).reshape(10, 6, 3) for f in (31, 45))
def moments(v):
    z = (v - v.mean((0, 1))) / v.std((0, 1))
    return np.einsum('bti,btj->ij', z, z) / (len(z) * z.shape[1])
lower = np.tril_indices(3)
print('correlational', np.abs(moments(a) - moments(b))[lower].sum() / 10)
def ks(p, q):
    g = np.unique(np.r_[p, q])
    return np.abs(np.searchsorted(np.sort(p), g, 'right') / len(p) - np.searchsorted(np.sort(q), g, 'right') / len(q)).max()
print('marginals', [ks(a[..., c].ravel(), b[..., c].ravel()) for c in range(3)])
v = a[..., 1] - a[..., 1].mean()
print('autocorrelation of channel 1 at lag 2', (v[:, :-2] * v[:, 2:]).mean() / (v * v).mean())
