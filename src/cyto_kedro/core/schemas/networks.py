"""Cells as networks and as densities."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import FRAME, NAME, TIME, count, number
from cyto_kedro.core.table import Col, TableSpec

NETWORK_METRICS = TableSpec(
    "network_metrics",
    {
        "graph": Col("object", "", "delaunay, radius or contact"),
        "frame": FRAME,
        "time_min": TIME,
        "n_nodes": count("cells"),
        "n_edges": count("edges"),
        "mean_degree": number("", "mean degree", 0),
        "n_components": count("connected components"),
        "mean_clustering": number("", "mean clustering coefficient", 0),
        "mean_edge_um": number("um", "mean edge length", 0),
        "heterotypic_fraction": number("", "edges that join different roles", 0),
        "connecting_radius_um": number("um", "longest edge of the spanning tree", 0),
        "largest_component": number("", "share of the cells in the largest one", 0),
        "assortativity": number(
            "", "of roles: 1 = edges only within roles, 0 = as by chance, < 0 = mixed"
        ),
    },
    unique=("graph", "frame"),
)
NETWORK_MIXING = TableSpec(
    "network_mixing",
    {
        "graph": Col("object", "", "delaunay or radius"),
        "frame": Col("Int64", "frame", "frame; null = the whole movie", True),
        "time_min": number("min", "time of the frame", 0),
        "role_a": NAME,
        "role_b": NAME,
        "n_edges": count("edges between cells of these roles"),
        "expected": number("", "the same with roles dealt to tracks by chance", 0),
        "expected_low": number("", "2.5 % quantile of the deals", 0),
        "expected_high": number("", "97.5 % quantile of the deals", 0),
        "ratio": number("", "edges / expected; above 1 = attracted", 0),
        "z": number("", "(edges - expected) / standard deviation of the deals"),
        "p_value": Col("float64", "", "two-sided", True, ge=0, le=1),
        "p_holm": Col(
            "float64",
            "",
            "corrected (Holm), over the frames or over the whole movie's rows",
            True,
            ge=0,
            le=1,
        ),
        "p_bh": Col("float64", "", "the same by Benjamini-Hochberg", True, ge=0, le=1),
        "n_permutations": count("random deals"),
    },
    unique=("graph", "frame", "role_a", "role_b"),
)
DENSITY = TableSpec(
    "density_map",
    {
        "window": count("part of the movie, from 0"),
        "start_min": TIME,
        "end_min": TIME,
        "y_um": number("um", "centre of the grid's cell", 0),
        "x_um": number("um", "centre of the grid's cell", 0),
        "cells_per_mm2": number("1/mm2", "mean number of cells per area", 0),
        "relative": number("", "the same / its mean over the map", 0),
        "bandwidth_y_um": number("um", "standard deviation of the kernel", 0),
        "bandwidth_x_um": number("um", "standard deviation of the kernel", 0),
    },
    unique=("window", "y_um", "x_um"),
)
