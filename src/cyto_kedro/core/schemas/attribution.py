"""Who is credited with a death, and how sure that is."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import (
    FRAME,
    NAME,
    TIME,
    TRACK,
    count,
    flag,
    number,
)
from cyto_kedro.core.table import Col, TableSpec

ATTRIBUTION = TableSpec(
    "attribution",
    {
        "target": Col("object", "", "target role"),
        "target_track_id": TRACK,
        "death_frame": FRAME,
        "death_time_min": TIME,
        "effector": Col("object", "", "effector role; null = unattributed", True),
        "effector_track_id": Col("Int64", "", "candidate; null = unattributed", True),
        "n_candidates": count("effectors in contact within the window"),
        "contact_min": number("min", "contact time inside the window", 0),
        "first_contact_min": number(
            "min", "time of the first contact in the window", 0
        ),
        "last_contact_min": number("min", "time of the last contact before death", 0),
        "min_distance_um": number("um", "least distance inside the window", 0),
        "credit_nearest": Col("float64", "", "1 for the nearest/last toucher", ge=0),
        "credit_exclusive": Col("float64", "", "1 for an only candidate", ge=0),
        "credit_shared": Col("float64", "", "weighted share; sums to 1", ge=0),
        "credit_hazard": Col(
            "float64",
            "",
            "posterior of the hit model; sums to 1 with background_probability",
            ge=0,
            le=1,
        ),
        "background_probability": Col(
            "float64", "", "posterior of a death by no effector", ge=0, le=1
        ),
        "window_truncated": flag("the window reaches before the target was seen"),
        "track_confidence": number(
            "",
            "least link margin of both cells from first contact to death (effector: to "
            "last contact), in [0, 1]; 0 = one of them may be another cell",
            0,
        ),
    },
    unique=("target", "target_track_id", "effector", "effector_track_id"),
)
KILLS = TableSpec(
    "kills",
    {
        "card": Col("object", "", "name of the evidence card; null = not drawn", True),
        "target": NAME,
        "target_track_id": TRACK,
        "death_frame": FRAME,
        "death_time_min": TIME,
        "onset_low_min": number("min", "lower bound of the fitted onset"),
        "onset_high_min": number("min", "upper bound of the fitted onset"),
        "live_lost": Col("boolean", "", "second vote: live signal was lost", True),
        "effector": Col("object", "", "role of the likeliest killer", True),
        "effector_track_id": Col(
            "Int64", "", "likeliest killer by the hit model; null = none", True
        ),
        "n_candidates": count("effectors in contact within the window"),
        "credit_hazard": number("", "its credit by the hit model", 0),
        "credit_shared": number("", "its shared credit", 0),
        "credit_nearest": number("", "1 if it is also the nearest / last toucher", 0),
        "credit_exclusive": number("", "1 if it is the only candidate", 0),
        "background_probability": number("", "posterior of a death by nobody", 0),
        "window_truncated": flag("the window reaches before the target was seen"),
        "track_confidence": number(
            "", "least link margin of both cells from first contact to death", 0
        ),
        "words": Col("object", "", "the same in a sentence"),
    },
    unique=("target", "target_track_id"),
)
HIT_MODEL = TableSpec(
    "hit_model",
    {
        "target": NAME,
        "effector": NAME,
        "n_targets": count("targets at risk"),
        "n_deaths": count("deaths"),
        "contact_hours": number("h", "contact with targets at risk", 0),
        "expected_kills": number("", "summed hazard credit of this role", 0),
        "hits_per_contact_hour": number("1/h", "lethal hits per contact hour", 0),
        "hits_low": number("1/h", "lower 95 % bound", 0),
        "hits_high": number("1/h", "upper 95 % bound", 0),
        "background_per_hour": number("1/h", "deaths without contact per target", 0),
        "delay_mean_min": number("min", "mean time from hit to death", 0),
        "delay_low_min": number("min", "2.5 % posterior bound, on its grid", 0),
        "delay_high_min": number("min", "97.5 % posterior bound, on its grid", 0),
        "delay_cv": number("", "spread of the delay / its mean", 0),
        "log_likelihood_gain": number("nat", "of hits above a background alone"),
    },
    unique=("target", "effector"),
)
ATTRIBUTION_CHANCE = TableSpec(
    "attribution_chance",
    {
        "target": NAME,
        "method": Col("object", "", "what was shifted: time_shift or position_shift"),
        "rule": Col("object", "", "any (nearest, shared), exclusive or hazard"),
        "window_min": number("min", "attribution window", 0),
        "n_deaths": count("deaths"),
        "n_attributed": count("deaths that the rule gives to somebody"),
        "observed_fraction": number("", "attributed / deaths", 0),
        "expected_fraction": number("", "the same by chance, mean of all shifts", 0),
        "expected_low": number("", "2.5 % quantile of random shifts", 0),
        "expected_high": number("", "97.5 % quantile of random shifts", 0),
        "p_value": number(
            "", "shifts that attribute as many deaths; hazard: that fit as well", 0
        ),
        "fdr": number("", "false discovery rate: expected / observed, at most 1", 0),
        "excess_fraction": number("", "deaths with a culprit beyond chance", 0),
        "n_shifts": count("random shifts drawn"),
        "seed": count("seed of the random shifts"),
    },
    unique=("target", "method", "rule", "window_min"),
)
SENSITIVITY = TableSpec(
    "sensitivity",
    {
        "target": NAME,
        "window_min": number("min", "attribution window", 0),
        "contact_distance_um": number("um", "contact distance", 0),
        "threshold": number("intensity", "threshold of death"),
        "is_chosen": flag("the settings of this run"),
        "n_deaths": count("deaths"),
        "n_attributed": count("deaths with a candidate"),
        "unattributed_share": number("", "deaths without one", 0),
        "n_serial_killers": count("likeliest killer of several deaths"),
        "expected_fraction": number("", "attributed by chance (shifts in time)", 0),
        "p_value": number("", "of more attributed deaths than by chance", 0),
        "beyond_chance": flag("p value of at most 0.05"),
        "same_killer_share": number(
            "", "deaths of the chosen settings that keep their likeliest killer", 0
        ),
    },
    unique=("target", "window_min", "contact_distance_um", "threshold"),
)
ATTRIBUTION_DENSITY = TableSpec(
    "attribution_density",
    {
        "target": NAME,
        "fraction": Col("float64", "", "effectors that are kept", ge=0, le=1),
        "rule": Col(
            "object", "", "every_toucher, nearest, exclusive, shared or hazard"
        ),
        "n_effectors": count("effectors kept"),
        "n_deaths": count("deaths, the same at every fraction"),
        "n_repeats": count("random subsets"),
        "kills": number("", "summed credit, mean of the subsets", 0),
        "kills_sd": number("", "its standard deviation between subsets", 0),
        "kills_per_death": number("", "credit per death; above 1 is impossible", 0),
        "kills_per_effector": number("", "credit per effector", 0),
    },
    unique=("target", "fraction", "rule"),
)
KILLERS = TableSpec(
    "killers",
    {
        "effector": Col("object", "", "effector role"),
        "effector_track_id": TRACK,
        "kills_nearest": number("", "kills by the nearest rule", 0),
        "kills_shared": number("", "summed shared credit", 0),
        "kills_hazard": number("", "summed credit by the hit model", 0),
        "contact_min": number("min", "total contact time", 0),
        "observed_min": number("min", "time in view", 0),
        "kills_per_hour": number("1/h", "shared kills per hour in view", 0),
        "kills_per_contact_hour": number("1/h", "shared kills per contact hour", 0),
        "first_kill_min": number("min", "time in view before the first kill", 0),
        "serial": flag("killed at least the configured number of targets"),
    },
    unique=("effector", "effector_track_id"),
)
