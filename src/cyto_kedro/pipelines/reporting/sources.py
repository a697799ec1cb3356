"""What the methods paragraph of the report cites."""

from __future__ import annotations

Reference = tuple[str, str]

#: Text and DOI by the word that the paragraphs cite them with, as in ``[@lap]``.
SOURCES: dict[str, Reference] = {
    "lap": (
        "Jaqaman et al., Robust single-particle tracking in live-cell time-lapse "
        "sequences, Nat Methods 5, 695 (2008)",
        "10.1038/nmeth.1237",
    ),
    "cellpose": (
        "Pachitariu, Rariden & Stringer, Cellpose-SAM: superhuman generalization for "
        "cellular segmentation, bioRxiv (2025)",
        "10.1101/2025.04.28.651001",
    ),
    "stardist": (
        "Schmidt et al., Cell detection with star-convex polygons, MICCAI (2018)",
        "10.1007/978-3-030-00934-2_30",
    ),
    "em": (
        "Dempster, Laird & Rubin, Maximum likelihood from incomplete data via the EM "
        "algorithm, J R Stat Soc B 39, 1 (1977)",
        "10.1111/j.2517-6161.1977.tb01600.x",
    ),
    "kaplan": (
        "Kaplan & Meier, Nonparametric estimation from incomplete observations, J Am "
        "Stat Assoc 53, 457 (1958)",
        "10.1080/01621459.1958.10501452",
    ),
    "equal_precision": (
        "Nair, Confidence bands for survival functions with censored data: a "
        "comparative study, Technometrics 26, 265 (1984)",
        "10.1080/00401706.1984.10487964",
    ),
    "hall_wellner": (
        "Hall & Wellner, Confidence bands for a survival curve from censored data, "
        "Biometrika 67, 133 (1980)",
        "10.1093/biomet/67.1.133",
    ),
    "log_rank": (
        "Mantel, Evaluation of survival data and two new rank order statistics, Cancer "
        "Chemother Rep 50, 163 (1966)",
        "",
    ),
    "competing": (
        "Aalen & Johansen, An empirical transition matrix for non-homogeneous Markov "
        "chains, Scand J Stat 5, 141 (1978)",
        "",
    ),
    "holm": (
        "Holm, A simple sequentially rejective multiple test procedure, Scand J Stat "
        "6, 65 (1979)",
        "",
    ),
    "delta": (
        "Cliff, Dominance statistics: ordinal analyses to answer ordinal questions, "
        "Psychol Bull 114, 494 (1993)",
        "10.1037/0033-2909.114.3.494",
    ),
    "motion": (
        "Beltman, Maree & de Boer, Analysing immune cell migration, Nat Rev Immunol 9, "
        "789 (2009)",
        "10.1038/nri2638",
    ),
    "superplot": (
        "Lord et al., SuperPlots: communicating reproducibility and variability in "
        "cell biology, J Cell Biol 219, e202001064 (2020)",
        "10.1083/jcb.202001064",
    ),
}
