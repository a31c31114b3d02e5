"""Tests of the edit GAN: losses by NumPy, gradients to the right player, the start at identity."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from melanet import CycleGAN
from melanet.features import fit_guide
from melanet.gan import networks
from melanet.gan._edit_gan import EditGAN
from melanet.gan.training import train
from melanet.over_sampling import resolve_recipe

SHAPE = (32, 32, 1)


def images_of(n, low, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(low, low + 0.8, (n, *SHAPE)).astype("float32")


A, B = images_of(6, -0.9), images_of(5, 0.1, 1)


@pytest.fixture(scope="module")
def guide():
    return fit_guide(A, B, features=None, steps=30)


def recipe_with(**changes):
    recipe = resolve_recipe("default", SHAPE, steps=4)
    return replace(recipe, filters=4, discriminator_filters=4, batch_size=2, **changes)


@pytest.fixture
def gan(guide):
    pair = networks.build_edit_pair(SHAPE, guide.map_shapes, 4, 4, None, 0)
    frozen = guide.build()
    guide.assign(*frozen)
    model = EditGAN(*pair, *frozen, class_weight=0.5, edit_weight=2.0)
    model.set_colours(*guide.colours)
    return model


def test_untrained_edits_leave_images_as_they_are(gan):
    np.testing.assert_array_equal(gan.translate(A), A)


def test_losses_agree_with_numpy(gan):
    rng = np.random.default_rng(0)
    last = gan.generator_ab.layers[-2]  # the convolution that draws the edit
    last.set_weights([rng.normal(0, 0.3, w.shape) for w in last.get_weights()])
    a, b = A[:2], B[:2]
    fake = gan.translate(a)
    assert np.abs(fake - a).mean() > 0.01
    total = gan.compute_loss((a, b), y_pred={"fake_b": keras.ops.convert_to_tensor(fake)})
    maps = [gan.features.predict_on_batch(x) for x in (b, fake)]
    right, wrong = (gan.discriminator_b.predict_on_batch(m) for m in maps)
    discriminator = sum(
        np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + w).mean() for r, w in zip(right, wrong)
    ) / len(right)
    adversarial = -np.mean([w.mean() for w in wrong])
    class_loss = np.log1p(np.exp(-gan.scorer.predict_on_batch(maps[1]))).mean()
    colours = gan.generator_ab.layers[-1]
    white = (a - np.asarray(colours.mean)) * np.asarray(colours.whitening)
    edit = (fake - a) * np.clip(white**2 / 1.6449**2, 1, 10)  # 90 % lie within 1.64 sd
    edit_loss = (np.abs(edit) + 4 * edit**2).mean()
    edit_loss += sum(np.abs(np.diff(edit, axis=axis)).mean() for axis in (1, 2))
    expected = discriminator + adversarial + 0.5 * class_loss + 2.0 * edit_loss
    np.testing.assert_allclose(float(keras.ops.mean(total)), expected, rtol=1e-4)
    logged = {metric.name: float(metric.result()) for metric in gan._terms}
    np.testing.assert_allclose(logged["edit_loss"], edit_loss, rtol=1e-4)
    np.testing.assert_allclose(logged["class_loss"], class_loss, rtol=1e-4)
    assert logged["discriminator_accuracy"] == pytest.approx(
        np.mean([((r > 0).mean() + (w <= 0).mean()) / 2 for r, w in zip(right, wrong)])
    )


def test_training_changes_generator_and_discriminator_alone(guide, gan):
    frozen = [
        v.numpy().copy() if hasattr(v, "numpy") else np.asarray(v)
        for model in (gan.features, gan.scorer)
        for v in model.variables
    ]
    before = [w.copy() for w in gan.discriminator_b.get_weights()]
    from melanet import UnpairedImages

    gan.compile(run_eagerly=True)
    gan.fit(UnpairedImages(A, B, batch_size=2), epochs=1, verbose=0)
    after = [np.asarray(v) for model in (gan.features, gan.scorer) for v in model.variables]
    assert all((a == b).all() for a, b in zip(frozen, after, strict=True))
    assert any((a != b).any() for a, b in zip(before, gan.discriminator_b.get_weights()))
    assert (gan.translate(A) != A).any()


def test_training_moves_images_towards_the_class(guide):
    recipe = replace(recipe_with(learning_rate=2e-3), steps=60)
    model, history = train(recipe, A, B, guide=guide)
    assert type(model) is CycleGAN
    translated = model.translate(A)
    assert guide.logits(translated).mean() > guide.logits(A).mean() + 0.5
    assert (guide.logits(translated) > guide.logits(A)).mean() > 0.8
    assert history["edit_loss"][-1] > 0
    with pytest.raises(ValueError, match='to="A"'):
        model.translate(B, to="A")


def test_trained_edits_are_multiplied_by_their_strength(guide):
    recipe = replace(recipe_with(learning_rate=2e-3), steps=20)
    plain, _ = train(replace(recipe, edit_strength=1.0), A, B, guide=guide)
    strong, _ = train(replace(recipe, edit_strength=1.5), A, B, guide=guide)
    edit = plain.translate(A) - A
    assert np.abs(edit).max() > 0.01
    expected = np.clip(A + 1.5 * edit, -1, 1)
    inside = np.abs(A + edit) < 1  # where the first edit was not clipped
    np.testing.assert_allclose(strong.translate(A)[inside], expected[inside], atol=1e-5)


def test_training_repeats_bit_for_bit(guide):
    first, _ = train(recipe_with(), A, B, guide=guide, seed=1)
    again, _ = train(recipe_with(), A, B, guide=guide, seed=1)
    other, _ = train(recipe_with(), A, B, guide=guide, seed=2)
    np.testing.assert_array_equal(first.translate(A), again.translate(A))
    assert (first.translate(A) != other.translate(A)).any()


def test_a_guide_is_asked_for():
    with pytest.raises(ValueError, match="guide"):
        train(recipe_with(), A, B)


def test_a_trained_model_is_read_from_its_file(guide, tmp_path):
    model, _ = train(recipe_with(), A, B, guide=guide)
    model.save(tmp_path / "edits.keras")
    loaded = CycleGAN.from_pretrained(tmp_path / "edits.keras")
    np.testing.assert_array_equal(loaded.translate(A), model.translate(A))


@pytest.mark.parametrize("shape", [(33, 47, 3), (100, 70, 1), (130, 200, 3), (256, 256, 3)])
def test_edits_of_any_size_keep_the_image(shape):
    generator = networks.edit_generator(shape, filters=4, side=32)
    image = np.random.default_rng(0).uniform(-1, 1, (1, *shape)).astype("float32")
    np.testing.assert_array_equal(generator.predict_on_batch(image), image)
    last = next(layer for layer in reversed(generator.layers) if layer.trainable_weights)
    last.set_weights([w + 0.05 for w in last.get_weights()])
    edited = generator.predict_on_batch(image)
    assert edited.shape == image.shape
    assert (np.abs(edited) <= 1).all()
    assert (edited != image).mean() > 0.5
