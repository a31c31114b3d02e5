"""Mixtures of images with soft labels: mixup and Remix."""

import numpy as np

ALPHA = 0.4  # of the Beta distribution; 0.1 to 0.4 in Zhang et al. for ImageNet
KAPPA, TAU = 3, 0.5  # Chou et al.


def mixup(share, counts, first, second):
    """Return the share of the first label: that of the first image.

    Parameters
    ----------
    share : ndarray of shape (n,)
        Share of the first image in each mixture.
    counts : ndarray of shape (n_classes,)
        Training images of each class.
    first, second : ndarray of int of shape (n,)
        Classes of the mixed images.

    References
    ----------
    Zhang, H., et al. (2018). mixup: Beyond empirical risk minimization. ICLR.
    """
    return share


def remix(share, counts, first, second):
    """Return the share of the first label, in favour of the rarer class; see `mixup`.

    Where one class has `KAPPA` times as many images as the other, and the other's share of the
    image is above 1 - `TAU`, the label is the rarer class's alone.

    References
    ----------
    Chou, H.-P., et al. (2020). Remix: Rebalanced mixup. ECCV workshops, equation 4.
    """
    ratio = counts[first] / counts[second]
    share = np.where((ratio >= KAPPA) & (share < TAU), 0.0, share)
    return np.where((ratio <= 1 / KAPPA) & (1 - share < TAU), 1.0, share)


RULES = {"mixup": mixup, "Remix": remix}


def mix(rule, images, labels, counts, rng):
    """Mix every image with another one of the same batch.

    Parameters
    ----------
    rule : {"mixup", "Remix"}
        Rule of the labels.
    images : ndarray of shape (n, ...), uint8
        Images.
    labels : ndarray of shape (n, n_classes)
        One-hot labels.
    counts : ndarray of shape (n_classes,)
        Training images of each class.
    rng : numpy.random.Generator
        Random generator.

    Returns
    -------
    images : ndarray of the same shape, uint8
    labels : ndarray of shape (n, n_classes), float32
        Soft labels; each row sums to 1.
    """
    partner = rng.permutation(len(images))
    share = rng.beta(ALPHA, ALPHA, len(images))
    of_image = share.reshape(-1, *[1] * (images.ndim - 1)).astype("float32")
    mixed = images * of_image + images[partner] * (1 - of_image)
    first, second = labels.argmax(axis=1), labels[partner].argmax(axis=1)
    of_label = RULES[rule](share, counts, first, second)[:, None]
    soft = labels * of_label + labels[partner] * (1 - of_label)
    return np.rint(mixed).astype(np.uint8), soft.astype("float32")
