"""Golden values for semblant_core::nn::MlpCritic, from PyTorch's double backward. Run: pip install torch; python mlp_critic.py > mlp_critic.json"""
import json
import torch

torch.manual_seed(0)
batch, inputs, widths = 5, 7, [6, 4]
layers = [torch.nn.Linear(a, b) for a, b in zip([inputs] + widths, widths + [1])]
masks = [torch.nn.functional.dropout(torch.ones(batch, w), 0.5) for w in widths]
x = torch.randn(batch, inputs, requires_grad=True)
h = x
for layer, mask in zip(layers, masks):
    h = torch.nn.functional.leaky_relu(layer(h), 0.2) * mask
scores = layers[-1](h)
(gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
penalty = ((gradient.norm(2, dim=1) - 1) ** 2).mean()
penalty.backward()
flat = lambda t: t.detach().flatten().tolist()
print(json.dumps({
    "inputs": inputs, "input": flat(x),
    # burn keeps a linear layer's weight as [inputs, outputs], PyTorch as [outputs, inputs]
    "weights": [flat(l.weight.T) for l in layers], "biases": [flat(l.bias) for l in layers], "masks": [flat(m) for m in masks],
    "scores": flat(scores), "input_gradient": flat(gradient), "penalty": penalty.item(),
    "weight_gradients": [flat(l.weight.grad.T) for l in layers],
}))
