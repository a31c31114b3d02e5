import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from melanet.utils import _model_store, clear_compiled_models
from melanet.utils._model_store import ModelStore, copy_variables, reset_optimizer


def dense(units=1):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def leased(store, structure="dense"):
    with store.lease(structure, dense) as model:
        return model


def test_equal_structures_share_a_model_and_others_do_not():
    store = ModelStore()
    first = leased(store)
    assert leased(store) is first
    assert leased(store, "another") is not first
    assert len(store) == 2
    store.clear()
    assert len(store) == 0
    assert leased(store) is not first


def test_nested_leases_get_models_of_their_own():
    store = ModelStore()
    with store.lease("dense", dense) as outer, store.lease("dense", dense) as inner:
        assert outer is not inner
    assert len(store) == 2


def test_threads_get_models_of_their_own():
    store, barrier = ModelStore(), threading.Barrier(3)

    def lease(_):
        with store.lease("dense", dense) as model:
            barrier.wait()  # all three are leased at the same time
            return id(model)

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(lease, range(3)))) == 3
    assert len(store) == 3


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_model_is_dropped_after_an_error(error):
    store = ModelStore()
    with pytest.raises(error), store.lease("dense", dense):
        raise error
    assert len(store) == 0


def test_the_model_that_was_used_longest_ago_is_dropped_first():
    store = ModelStore(max_idle=2)
    a, b = leased(store, "a"), leased(store, "b")
    assert leased(store, "a") is a
    leased(store, "c")
    assert leased(store, "a") is a
    assert leased(store, "b") is not b


def test_a_dtype_policy_has_models_of_its_own():
    store = ModelStore()
    first, before = leased(store), keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert leased(store) is not first
    finally:
        keras.config.set_dtype_policy(before)
    assert leased(store) is first


def test_a_reset_model_trains_as_a_new_one():
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    new = dense()
    used = dense()
    used.fit(x, y, epochs=3, verbose=0)
    copy_variables(new, used)
    reset_optimizer(used.optimizer, learning_rate=0.1)
    assert int(used.optimizer.iterations) == 0
    for model in (new, used):
        model.fit(x, y, epochs=2, verbose=0)
    for a, b in zip(new.variables, used.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_users_call_empties_the_store(monkeypatch):
    store = ModelStore()
    monkeypatch.setattr(_model_store, "STORE", store)
    leased(store)
    clear_compiled_models()
    assert len(store) == 0
