"""Of which metrics more is better, and of which less, by the names that people give them."""

import re
from typing import Literal

#: 1 where more is better, -1 where less is, None where the name says nothing.
Direction = Literal[1, -1]

MORE_IS_BETTER = frozenset(
    """
    accuracy acc balanced_accuracy bacc top1 top_1 top1_accuracy top_1_accuracy top5_accuracy
    top_5_accuracy auc auroc roc_auc auc_roc rocauc aucroc area_under_roc_curve auprc pr_auc auc_pr
    average_precision ap map mean_average_precision
    f1 f_1 fbeta precision recall sensitivity specificity tpr tnr ppv npv true_positive_rate
    true_negative_rate positive_predictive_value negative_predictive_value g_mean gmean
    youden youden_j kappa cohen_kappa cohens_kappa quadratic_kappa qwk mcc matthews_corrcoef
    matthews_correlation_coefficient dice dsc jaccard iou miou
    r2 r_2 r_squared explained_variance pearson pearsonr pearson_r spearman spearmanr spearman_r
    kendall kendalltau kendall_tau correlation c_index concordance ccc icc log_likelihood
    """.split()
)
LESS_IS_BETTER = frozenset(
    """
    log_loss logloss nll negative_log_likelihood cross_entropy crossentropy ce bce deviance
    perplexity mae mse rmse msle rmsle mape smape medae nrmse brier ece mce ace
    calibration_error err error_rate misclassification_rate eer fpr fnr fdr
    false_positive_rate false_negative_rate false_discovery_rate hausdorff hd95 assd
    """.split()
)
#: Words that say how or on what was averaged, not what was measured.
QUALIFIERS = frozenset(
    "macro micro weighted binary samples ovr ovo score test val valid validation averaged".split()
)
#: A name that ends so measures what is to be small: ``focal_loss``, ``mean_squared_error``.
SMALL = frozenset({"loss", "error"})


def direction(metric: str) -> Direction | None:
    """Whether more of a metric is better.

    Parameters
    ----------
    metric : str
        As people write it, e.g. ``AUC``, ``f1_macro``, ``val_loss``. With scikit-learn's ``neg_``
        in front the value has been negated, so that more is better.

    Returns
    -------
    int or None
        1 where more is better, -1 where less is, None where the name is not known.
    """
    words = [word for word in re.split(r"[^a-z0-9]+", metric.lower()) if word]
    name = "_".join(word for word in words if word not in QUALIFIERS)
    if words[:1] == ["neg"] or name in MORE_IS_BETTER:
        return 1
    return -1 if name in LESS_IS_BETTER or name.rpartition("_")[2] in SMALL else None
