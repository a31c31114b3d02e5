"""Catalogue of the ISIC challenges: subsets, files, classes and licences of each year."""

from dataclasses import dataclass, field

ADDRESSES = (
    "https://isic-archive.s3.amazonaws.com/challenges",
    "https://isic-challenge-data.s3.amazonaws.com",
)
_CC0 = "CC-0 (public domain)"
_CC_BY_NC = "CC-BY-NC 4.0 (attribution, no commercial use)"
_ISIC_2016 = (
    "D. Gutman, N. C. F. Codella, E. Celebi, et al., 'Skin Lesion Analysis toward Melanoma "
    "Detection: A Challenge at the International Symposium on Biomedical Imaging (ISBI) 2016', "
    "arXiv:1605.01397, 2016."
)
_ISIC_2017 = (
    "N. C. F. Codella, D. Gutman, M. E. Celebi, et al., 'Skin Lesion Analysis Toward Melanoma "
    "Detection: A Challenge at the 2017 International Symposium on Biomedical Imaging (ISBI)', "
    "arXiv:1710.05006, 2017."
)
_ISIC_2018 = (
    "N. Codella, V. Rotemberg, P. Tschandl, et al., 'Skin Lesion Analysis Toward Melanoma "
    "Detection 2018', arXiv:1902.03368, 2019."
)
_HAM10000 = (
    "P. Tschandl, C. Rosendahl, H. Kittler, 'The HAM10000 dataset', Scientific Data 5, 180161, "
    "doi:10.1038/sdata.2018.161, 2018."
)
_BCN20000 = (
    "M. Combalia, N. C. F. Codella, V. Rotemberg, et al., 'BCN20000: Dermoscopic Lesions in the "
    "Wild', arXiv:1908.02288, 2019."
)
_ISIC_2020 = (
    "V. Rotemberg, N. Kurtansky, B. Betz-Stablein, et al., 'A patient-centric dataset of images "
    "and metadata for identifying melanomas using clinical context', Scientific Data 8, 34, "
    "doi:10.1038/s41597-021-00815-z, 2021."
)
_SLICE_3D = (
    "N. R. Kurtansky, B. M. D'Alessandro, M. C. Gillis, et al., 'The SLICE-3D dataset: 400,000 "
    "skin lesion image crops extracted from 3D TBP for skin cancer detection', Scientific Data 11, "
    "884, doi:10.1038/s41597-024-03743-w, 2024."
)
_SHARED = (
    "The years share images: at least 353 of the 379 test images of 2016 are in the training set "
    "of 2019, and 82 in that of 2017. Remove them before you train on one year and test on "
    "another; melanet.datasets.check_overlap finds them."
)


@dataclass(frozen=True)
class Subset:
    """Files of one subset of a year.

    Attributes
    ----------
    archive : str
        Zip file of the images.
    labels : str
        CSV file of the labels, or a zip file that holds one.
    n_images : int
        Number of labelled images.
    metadata : str or None
        CSV file of metadata: a file of its own, the labels' file, or a member of the archive.
    metadata_inside : bool
        Whether the metadata are a member of the archive.
    columns : tuple of str or None
        Columns of the metadata to keep; None keeps all.
    sha256 : dict
        File -> SHA-256, if one was published.
    """

    archive: str
    labels: str
    n_images: int
    metadata: str | None = None
    metadata_inside: bool = False
    columns: tuple[str, ...] | None = None
    sha256: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Challenge:
    """The challenge of one year.

    Attributes
    ----------
    task : str
        Task of the challenge.
    classes : dict
        Target name -> column of the labels. None marks the class of rows in which no column has
        a 1. With a single column, labels are 0 and 1.
    subsets : dict
        Name -> Subset.
    unlabelled : tuple of str
        Subsets whose labels were not published.
    licence, citations, remarks : str, tuple of str, tuple of str
        Parts of the description (DESCR).
    """

    task: str
    classes: dict[str, str | None]
    subsets: dict[str, Subset]
    licence: str
    citations: tuple[str, ...]
    unlabelled: tuple[str, ...] = ()
    remarks: tuple[str, ...] = (_SHARED,)


def _part_2017(stem, n_images):
    # The metadata (age and sex) are in the archive of the images.
    return Subset(
        f"{stem}_Data.zip",
        f"{stem}_Part3_GroundTruth.csv",
        n_images,
        f"{stem}_Data_metadata.csv",
        metadata_inside=True,
    )


def _part_2018(part, n_images, metadata=None):
    stem = f"ISIC2018_Task3_{part}"
    return Subset(f"{stem}_Input.zip", f"{stem}_GroundTruth.zip", n_images, metadata)


def _part_2019(part, n_images):
    stem = f"ISIC_2019_{part}"
    return Subset(f"{stem}_Input.zip", f"{stem}_GroundTruth.csv", n_images, f"{stem}_Metadata.csv")


def _part_2024(stem, n_images):
    return Subset(
        f"{stem}_Input.zip",
        f"{stem}_GroundTruth.csv",
        n_images,
        "metadata.csv",
        metadata_inside=True,
        columns=COLUMNS_2024,
    )


# Of 55; the others are measurements of the camera's software.
COLUMNS_2024 = (
    "isic_id",
    "patient_id",
    "lesion_id",
    "age_approx",
    "sex",
    "anatom_site_general",
    "clin_size_long_diam_mm",
    "image_type",
    "tbp_tile_type",
    "attribution",
    "copyright_license",
    *(f"iddx_{level}" for level in ("full", 1, 2, 3, 4, 5)),
)
_BENIGN_MALIGNANT: dict[str, str | None] = {"benign": None, "malignant": "target"}
_SEVEN: dict[str, str | None] = {
    "melanoma": "MEL",
    "nevus": "NV",
    "basal cell carcinoma": "BCC",
    "actinic keratosis": "AKIEC",
    "benign keratosis": "BKL",
    "dermatofibroma": "DF",
    "vascular lesion": "VASC",
}
_NINE = _SEVEN | {
    "actinic keratosis": "AK",
    "squamous cell carcinoma": "SCC",
    "unknown": "UNK",
}
CHALLENGES = {
    2016: Challenge(
        task="Part 3: malignant (melanoma) against benign",
        classes=_BENIGN_MALIGNANT,
        subsets={
            "train": Subset(
                "ISBI2016_ISIC_Part3_Training_Data.zip",
                "ISBI2016_ISIC_Part3_Training_GroundTruth.csv",
                900,
                sha256={
                    "ISBI2016_ISIC_Part3_Training_Data.zip": (
                        "d78bd1de08511b514e58784c91fd2d8dab24e407cafd023a7debbceb9155ffb2"
                    ),
                    "ISBI2016_ISIC_Part3_Training_GroundTruth.csv": (
                        "0ffadd63b7cec650cddfbe5df54d1d3167453fe6004c2bbf05824184b0c4d405"
                    ),
                },
            ),
            "test": Subset(
                "ISBI2016_ISIC_Part3_Test_Data.zip", "ISBI2016_ISIC_Part3_Test_GroundTruth.csv", 379
            ),
        },
        licence=_CC0,
        citations=(_ISIC_2016,),
        remarks=(
            "ISIC_0001184 and ISIC_0001385 of the training set (benign) duplicate test images.",
            _SHARED,
        ),
    ),
    2017: Challenge(
        task="Part 3: melanoma and seborrheic keratosis; images with neither are nevi",
        classes={
            "nevus": None,
            "melanoma": "melanoma",
            "seborrheic keratosis": "seborrheic_keratosis",
        },
        subsets={
            "train": _part_2017("ISIC-2017_Training", 2000),
            "validation": _part_2017("ISIC-2017_Validation", 150),
            "test": _part_2017("ISIC-2017_Test_v2", 600),
        },
        licence=_CC0,
        citations=(_ISIC_2017,),
    ),
    2018: Challenge(
        task="Task 3: seven kinds of lesion (HAM10000)",
        classes=_SEVEN,
        subsets={
            "train": _part_2018("Training", 10015, "ISIC2018_Task3_Training_LesionGroupings.csv"),
            "validation": _part_2018("Validation", 193),
            "test": _part_2018("Test", 1512),
        },
        licence=_CC_BY_NC,
        citations=(_ISIC_2018, _HAM10000),
        remarks=(
            "Several images may show one lesion: split by groups.",
            _SHARED,
        ),
    ),
    2019: Challenge(
        task="eight kinds of lesion, and in the test set unknown ones",
        classes=_NINE,
        subsets={"train": _part_2019("Training", 25331), "test": _part_2019("Test", 8238)},
        licence=_CC_BY_NC,
        citations=(_ISIC_2017, _HAM10000, _BCN20000),
        remarks=(
            "Several images may show one lesion: split by groups.",
            _SHARED,
        ),
    ),
    2020: Challenge(
        task="melanoma against the rest, in the context of the patient",
        classes=_BENIGN_MALIGNANT,
        subsets={
            "train": Subset(
                "ISIC_2020_Training_JPEG.zip",
                "ISIC_2020_Training_GroundTruth_v2.csv",
                33126,
                "ISIC_2020_Training_GroundTruth_v2.csv",
            )
        },
        licence=_CC_BY_NC,
        citations=(_ISIC_2020,),
        unlabelled=("test",),
        remarks=(
            "Split by groups, which are patients. 425 pairs of duplicates are listed by the "
            "publisher; melanet.datasets.find_duplicates finds duplicates.",
            _SHARED,
        ),
    ),
    2024: Challenge(
        task="malignant against benign; crops of total-body photographs (SLICE-3D)",
        classes={"benign": None, "malignant": "malignant"},
        subsets={
            "train": _part_2024("ISIC_2024_Training", 401059),
            "permissive": _part_2024("ISIC_2024_Permissive_Training", 217477),
        },
        licence=f"{_CC_BY_NC}; of the subset 'permissive', CC-BY 4.0 (attribution)",
        citations=(_SLICE_3D,),
        unlabelled=("test",),
        remarks=(
            "393 of the 401,059 images are malignant, and 1,042 patients have hundreds of images "
            "each: split by groups, which are patients. The subset 'permissive' is a part of "
            "'train'.",
        ),
    ),
}
