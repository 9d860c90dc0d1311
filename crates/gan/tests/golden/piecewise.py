"""Golden values for semblant_core::nn::PiecewiseCritic, from PyTorch's double backward. Run: pip install torch; python piecewise.py > piecewise.json"""
import json
import torch
import torch.nn.functional as F

torch.manual_seed(0)
batch, classes, features = 3, 4, 5
draw = lambda *shape: (torch.randn(*shape) * 0.4).requires_grad_()
w = {
    "stem": draw(4, 2, 3, 3), "stem_bias": draw(4),            # stride 2
    "wide": draw(8, 4, 1, 1), "wide_bias": draw(8),
    "grouped": draw(8, 4, 3, 3), "grouped_bias": draw(8),      # 2 groups
    "narrow": draw(4, 8, 1, 1), "narrow_bias": draw(4),
    "turn": draw(3, 4, 1, 1), "turn_bias": draw(3),
    "features": draw(12, features), "features_bias": draw(features),  # [inputs, outputs]
    "score": draw(features, 1), "score_bias": draw(1), "classes": draw(classes, features),
}
x = torch.randn(batch, 2, 8, 8, requires_grad=True)
label = torch.tensor([2, 0, 3])
leaky = lambda h: F.leaky_relu(h, 0.2)
line = torch.tensor([1.0, 2.0, 1.0]) / 4
kernel = torch.outer(line, line).repeat(4, 1, 1, 1)
blur = lambda h: F.conv2d(h, kernel[:h.shape[1]], padding=1, groups=h.shape[1])

h = leaky(F.conv2d(x, w["stem"], w["stem_bias"], stride=2, padding=1))
inner = F.conv2d(h, w["wide"], w["wide_bias"])
inner = F.conv2d(leaky(inner), w["grouped"], w["grouped_bias"], padding=1, groups=2)
h = h + F.conv2d(leaky(inner), w["narrow"], w["narrow_bias"])
h = F.avg_pool2d(blur(h), 2)
h = leaky(F.conv2d(h, w["turn"], w["turn_bias"]))
f = h.flatten(1) @ w["features"] + w["features_bias"]
scores = (f * (w["classes"][label] + w["score"].T)).sum(1, keepdim=True) + w["score_bias"]
(gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
penalties = {
    "zero_centred": gradient.square().sum() / batch,
    "one_centred": ((gradient.flatten(1).norm(2, dim=1) - 1) ** 2).mean(),
}
flat = lambda t: t.detach().flatten().tolist()
out = {"weights": {k: flat(v) for k, v in w.items()}, "input": flat(x), "label": label.tolist(), "scores": flat(scores), "input_gradient": flat(gradient)}
for name, penalty in penalties.items():
    found = torch.autograd.grad(penalty, list(w.values()), retain_graph=True, allow_unused=True)
    out[name] = {"penalty": penalty.item(), "gradients": {k: flat(g) for k, g in zip(w, found) if g is not None and g.abs().max() > 0}}
print(json.dumps(out))
