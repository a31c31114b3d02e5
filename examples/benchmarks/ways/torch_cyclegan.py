"""CycleGAN training in PyTorch, with the networks of melanet.

A conventional implementation for comparison: convolutions on up-sampled images, native
normalisation, the generators' step with frozen discriminators, then the discriminators' step.
`ways.rounds` runs it with an interpreter that has torch; it does not import melanet.
"""

import contextlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Norm(nn.Module):
    """Instance normalisation, over all axes with one gamma and beta, or channel by channel.

    melanet adds 1e-3 to the deviation; the native kernels add to the variance.
    """

    def __init__(self, channels, each):
        super().__init__()
        self.channels, self.groups = channels, channels if each else 1
        self.gamma = nn.Parameter(torch.ones(channels if each else 1))
        self.beta = nn.Parameter(torch.zeros(channels if each else 1))

    def forward(self, x):  # noqa: D102
        gamma, beta = (w.expand(self.channels) for w in (self.gamma, self.beta))
        if self.groups > 1:
            return F.instance_norm(x, weight=gamma, bias=beta, eps=1e-6)
        return F.group_norm(x, 1, gamma, beta, eps=1e-6)


class StridedConv(nn.Conv2d):
    """A convolution of stride two with the padding of TensorFlow's "same"."""

    def forward(self, x):  # noqa: D102
        side, size = x.shape[-1], self.kernel_size[0]
        total = max(2 * (-(-side // 2) - 1) + size - side, 0)
        if total % 2:
            x, total = F.pad(x, (total // 2, total - total // 2) * 2), 0
        return F.conv2d(x, self.weight, self.bias, 2, total // 2)


def convolution(inputs, outputs, size, stride=1, bias=True):
    if stride == 2:
        return StridedConv(inputs, outputs, size, bias=bias)
    return nn.Conv2d(inputs, outputs, size, padding="same", bias=bias)


def upsampled(inputs, outputs, size, bias=True):
    return nn.Sequential(nn.Upsample(scale_factor=2), convolution(inputs, outputs, size, bias=bias))


def depth_of(side):
    """Return the depth of the U-Net and the discriminator: four, fewer for small images."""
    return min(4, max(1, side.bit_length() - 2))


class UNet(nn.Module):
    """The paper's generator."""

    def __init__(self, side, channels, filters):
        super().__init__()
        widths = [filters * 2**level for level in range(depth_of(side))]
        self.down = nn.ModuleList(
            nn.Sequential(convolution(i, o, 4, 2), nn.LeakyReLU(0.2), Norm(o, each=False))
            for i, o in zip([channels, *widths], widths)
        )
        up, inputs = [], widths[-1]
        for width in widths[-2::-1]:
            up.append(nn.Sequential(upsampled(inputs, width, 4), nn.ReLU(), Norm(width, False)))
            inputs = 2 * width
        self.up = nn.ModuleList(up)
        self.last = upsampled(inputs, channels, 4)

    def forward(self, x):  # noqa: D102
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1]):
            x = torch.cat([block(x), skip], 1)
        return torch.tanh(self.last(x))


class Residual(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, width):
        super().__init__()
        self.change = nn.Sequential(
            convolution(width, width, 3, bias=False),
            Norm(width, each=True),
            nn.ReLU(),
            convolution(width, width, 3, bias=False),
            Norm(width, each=True),
        )

    def forward(self, x):  # noqa: D102
        return x + self.change(x)


def resnet(side, channels, filters, blocks=4):
    depth = 2 if side >= 24 else 1
    layers = [convolution(channels, filters, 5, bias=False), Norm(filters, True), nn.ReLU()]
    for level in range(1, depth + 1):
        width = filters * 2**level
        layers += [convolution(width // 2, width, 3, 2, bias=False), Norm(width, True), nn.ReLU()]
    layers += [Residual(filters * 2**depth) for _ in range(blocks)]
    for level in reversed(range(depth)):
        width = filters * 2**level
        layers += [upsampled(2 * width, width, 3, bias=False), Norm(width, True), nn.ReLU()]
    return nn.Sequential(*layers, convolution(filters, channels, 5), nn.Tanh())


def discriminator(side, channels, filters):
    layers, inputs = [], channels
    for level in range(depth_of(side)):
        width = filters * 2**level
        layers += [convolution(inputs, width, 4, 2), nn.LeakyReLU(0.2)]
        layers += [Norm(width, False)] if level else []
        inputs = width
    return nn.Sequential(*layers, convolution(inputs, 1, 4))


class Way:
    """A training to be timed.

    Parameters
    ----------
    settings : dict
        Settings, as in `ways.rounds`.
    weights : list of list of ndarray
        Initial weights of melanet's four networks.
    """

    def __init__(self, settings, weights):
        self.settings = settings
        torch.set_num_threads(settings["threads"] or torch.get_num_threads())
        torch.set_float32_matmul_precision("high")
        side, channels = settings["side"], settings["channels"]
        self.device = torch.device(settings["device"])
        if settings["generator"] == "unet":
            generators = [UNet(side, channels, settings["filters"]) for _ in range(2)]
        else:
            generators = [resnet(side, channels, settings["filters"]) for _ in range(2)]
        discriminators = [
            discriminator(side, channels, settings["discriminator_filters"]) for _ in range(2)
        ]
        for network, values in zip(generators + discriminators, weights, strict=True):
            load_weights(network, values)
            network.to(self.device, memory_format=torch.channels_last)
        self.runs = self.nets = generators + discriminators
        if settings["compiled"]:
            self.runs = [torch.compile(network) for network in self.nets]
        rate = settings["learning_rate"]
        self.optimizers = [
            torch.optim.Adam([w for n in part for w in n.parameters()], rate, (0.5, 0.999))
            for part in (generators, discriminators)
        ]
        images = np.random.default_rng(0).uniform(-1, 1, settings["images"]).astype("float32")
        images = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        self.images = images.to(self.device).contiguous(memory_format=torch.channels_last)
        self.precision = contextlib.nullcontext
        if settings["policy"] != "float32":
            self.precision = lambda: torch.autocast(self.device.type, torch.bfloat16)

    def step(self, a, b):
        """Update the generators, then the discriminators; return the sum of the losses."""
        ab, ba, d_a, d_b = self.runs
        for network in self.nets[2:]:
            network.requires_grad_(False)
        with self.precision():
            fake_b, fake_a, same_b, same_a = ab(a), ba(b), ab(b), ba(a)
            scores = d_b(fake_b), d_a(fake_a)
            adversarial = sum(mse(score, 1) for score in scores)
            cycle = l1(ba(fake_b), a) + l1(ab(fake_a), b)
            loss = adversarial + 10 * cycle + l1(same_a, a) + l1(same_b, b)
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        for network in self.nets[2:]:
            network.requires_grad_(True)
        with self.precision():
            discriminator_loss = sum(
                mse(network(real), 1) + mse(network(fake.detach()), 0)
                for network, real, fake in ((d_a, a, fake_a), (d_b, b, fake_b))
            )
        self.optimizers[1].zero_grad()
        discriminator_loss.backward()
        self.optimizers[1].step()
        return loss.detach() + discriminator_loss.detach()

    def run(self, steps):
        """Train on the images in order; return the seconds and the last loss."""
        n, size = len(self.images), self.settings["batch_size"]
        start = time.perf_counter()
        for i in range(steps):
            rows = [(i * size + j) % n for j in range(size)]
            loss = self.step(self.images[rows], self.images[[n - 1 - r for r in rows]])
        loss = float(loss)  # waits for the device
        return time.perf_counter() - start, loss


def mse(x, target):
    return ((x.float() - target) ** 2).mean()


def l1(x, y):
    return (x.float() - y).abs().mean()


def load_weights(network, values):
    """Copy Keras' weights, in the order of the layers, to a network."""
    parameters = list(network.parameters())
    assert len(parameters) == len(values)
    with torch.no_grad():
        for parameter, value in zip(parameters, values):
            if value.ndim == 4:
                value = value.transpose(3, 2, 0, 1)
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))


def version():
    return f"torch {torch.__version__}"
