"""What the documents say in words and their own figures contradict, with ours beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toile.reports.ledger.published import Figure


@dataclass(frozen=True)
class Claim:
    """A sentence of a document beside its own figures.

    Args:
        study: whose document.
        says: the sentence, in our words, or quoted.
        but: what its own tables or logs say instead.
        figures: `(line, part, metric)` of the figures that it is about; published and measured ones are laid side by side.
    """

    study: str
    says: str
    but: str
    figures: tuple[tuple[str, str, str], ...]


def section(claims: Sequence[Claim], found: Sequence[Figure]) -> list[str]:
    """Lines of Markdown, a row a claim; none without claims about what was found.

    Args:
        found: all published figures with the measured ones.
    """
    known = {(one.study, one.line, one.part, one.metric): one for one in found if one.class_index is None}
    studies = {one.study for one in found}
    claims = [claim for claim in claims if claim.study in studies]
    if not claims:
        return []
    lines = [
        "", "## Claims that the documents' own figures contradict", "",
        "| study | the document says | its own figures | published → measured here |",
        "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for claim in claims:
        beside = "; ".join(_beside(known[claim.study, *which]) for which in claim.figures)
        lines.append(f"| {claim.study} | {claim.says} | {claim.but} | {beside} |")
    return lines


def _beside(one: Figure) -> str:
    measured = "not measured" if one.measured is None else f"{one.measured:.4f}"
    return f"{one.line}, {one.metric} ({one.part.replace('_', '-')}) {one.published:.4f} → {measured}"


def _all(lines: Sequence[str], part: str, metric: str = "accuracy") -> tuple[tuple[str, str, str], ...]:
    return tuple((line, part, metric) for line in lines)


MEANS = "average of three: the mean of its members' figures, which no committee has"
CLAIMS = (
    Claim(
        "committee", "The combined model is made by averaging the predicted probabilities, and is better than two members.",
        "Its figures are the means of the members' figures; no averaged probability was ever evaluated.",
        ((MEANS, "mean of members", "accuracy"),),
    ),
    Claim(
        "committee", "Model 2 converges after the 9th epoch.",
        "Its log begins at a validation accuracy of 0.8106 and ends at 0.8093: it had been trained before, and these 9 epochs "
        "change nothing.",
        _all(("model-2",), "validation"),
    ),
    Claim(
        "committee", "Model 1 wins with the simplest architecture, whose inference is the fastest.",
        "It has the fewest layers and the most parameters: 298,058, beside 14,058 and 99,946. All three of its prediction "
        "logs say 1 ms a step.",
        _all(("model-1", "model-2", "model-3"), "test"),
    ),
    Claim(
        "five-classes", "Model 2 has reduced the overfitting, but the accuracy has reduced as well.",
        "Its training accuracy is lower; its validation and test accuracies are higher than model 1's.",
        (*_all(("model-1", "model-2"), "validation"), *_all(("model-1", "model-2"), "test")),
    ),
    Claim(
        "five-classes", "For all models, the loss decreases as the accuracy increases.",
        "From 30 to 70 epochs the validation accuracy of model 4 rises, and its validation loss too.",
        (*_all(("model-4, 30 epochs", "model-4, 70 epochs"), "validation"),
         *_all(("model-4, 30 epochs", "model-4, 70 epochs"), "validation", "loss")),
    ),
    Claim(
        "five-classes", "The training accuracy is low at higher learning rates.",
        "At 0.02, the highest, it is higher than at 0.01.",
        _all(("model-4, learning rate 0.01", "model-4, learning rate 0.02"), "train"),
    ),
    Claim(
        "five-classes", "As the learning rate decreases, so does the training time.",
        "From 0.02 down to 0.001 it goes 4.69, 5.22, 4.73, 4.53 minutes: up before it goes down.", (),
    ),
    Claim(
        "five-classes", "The training takes longer the more trainable parameters there are.",
        "ResNet50 trains 10,245 of its own and takes longest (8.28 minutes); model 4 trains 3,381,797 in 4.53. Model 2 has "
        "more layers and parameters than model 1, and takes 2.27 minutes to its 2.29.", (),
    ),
    Claim(
        "five-classes", "The accuracy of the model increases with more epochs.",
        "Its test accuracy after 70 epochs is below that after 50.",
        _all(("model-4", "model-4, 70 epochs"), "test"),
    ),
    Claim(
        "five-classes", "The best model misclassifies many images of class 3.",
        "It finds 0.93 of them, more than of classes 2 (0.88) and 4 (0.92). What is low is the precision of class 3 (0.87): "
        "images of other classes are taken for it.", (),
    ),
    Claim(
        "ann-cnn-study", "The 25-epoch network is right on 88.25 % of the test images.", "The program printed 0.8885.",
        _all(("ann, 25 epochs",), "test"),
    ),
    Claim(
        "ann-cnn-study", "The F1 score is the average of the F1 scores of the classes.",
        "Its code asks for the micro average, which is the accuracy; so it is in each of its tables.",
        (("ann, 25 epochs", "test", "accuracy"), ("ann, 25 epochs", "test", "f1_micro")),
    ),
    Claim(
        "ann-cnn-study", "10-fold cross-validation has the highest test accuracy.",
        "Its mean of 5 folds is higher than that of 10. Both are of held-out training images; the test images were not asked.",
        _all(("ann, 25 epochs, 5 folds", "ann, 25 epochs, 10 folds"), "cross_validation"),
    ),
    Claim(
        "ann-cnn-study", "With more epochs the test accuracy rises up to a threshold and then falls.",
        "It goes 0.8885, 0.8895, 0.8868, 0.8906: the longest training is the best. It is the loss that rises throughout.",
        (*_all(("ann, 50 epochs", "ann, 100 epochs", "ann, 200 epochs"), "test"),
         *_all(("ann, 50 epochs", "ann, 100 epochs", "ann, 200 epochs"), "test", "loss")),
    ),
    Claim(
        "ann-cnn-study", "With a dropout rate from 0.0 to 0.3 the accuracy decreases.",
        "It rises to 0.8961 at 0.2, the best of the four, as the text says elsewhere; 0.3 too is above none.",
        _all(("2 dense layers, 50 epochs", "2 dense layers, dropout 0.1, 50 epochs", "2 dense layers, dropout 0.2, 50 epochs",
              "2 dense layers, dropout 0.3, 50 epochs"), "test"),
    ),
    Claim(
        "ann-cnn-study", "Dropout before the last layer is not advised, and regularisation may not have been needed.",
        "The network with dropout there, at 0.2, is the best of its dense ones, and its test loss about half of that without.",
        _all(("2 dense layers, 50 epochs", "2 dense layers, dropout 0.2, 50 epochs"), "test", "loss"),
    ),
    Claim(
        "ann-cnn-study", "The grid search's best model has a testing accuracy of 89.5 %.",
        "It is GridSearchCV's best score, a mean over held-out folds of the training images; the test images were not asked.",
        _all(("grid search, best: batch 32, adam, 25 epochs",), "cross_validation"),
    ),
    Claim(
        "from-scratch", "Various methods were applied; it explains why CNNs are the best of them and why the others fail.",
        "It has no figure of any other method, and none of its network written from scratch.",
        _all(("cnn-1, 10 epochs", "cnn-3, 50 epochs"), "test"),
    ),
    Claim(
        "augmentation", "The brief model has 89.37 % on validation images.", "The program printed 0.8932.",
        _all(("brief, 100 epochs",), "validation"),
    ),
    Claim(
        "augmentation", "80 epochs were chosen for the deeper model, because beyond them it overfit rapidly.",
        "Its log runs to 100 epochs, and the published figures are those of epoch 100.",
        _all(("deeper, 80 epochs",), "validation"),
    ),
    Claim(
        "augmentation", "After the affine augmentation: 88.35 % on training, 86.38 % on validation, 86.43 % on test images.",
        "The program printed 0.8949, 0.8657 and 0.8720.",
        (*_all(("deeper, affine augmentation, 100 more epochs",), "train"),
         *_all(("deeper, affine augmentation, 100 more epochs",), "validation"),
         *_all(("deeper, affine augmentation, 100 more epochs",), "test")),
    ),
    Claim(
        "augmentation", "The elastic augmentation with Adamax improves the deeper model: up to 92.67 % and 92.45 %.",
        "The program printed 0.9133 and 0.9132, which is below the model without augmentation (0.9195 and 0.9177). 0.9267 is "
        "the best epoch of its log, the 90th of 100, whose model was not kept.",
        (*_all(("deeper, 80 epochs", "deeper, elastic augmentation, Adamax, cosine restarts, 100 more epochs"), "validation"),
         *_all(("deeper, 80 epochs", "deeper, elastic augmentation, Adamax, cosine restarts, 100 more epochs"), "test")),
    ),
    Claim(
        "augmentation", "After the elastic augmentation, up to 96 % on training images, and no more overfitting.",
        "The program printed 0.9517, 0.04 above validation and test images: more than after the affine augmentation (0.03).",
        (*_all(("deeper, elastic augmentation, Adamax, cosine restarts, 100 more epochs",), "train"),
         *_all(("deeper, elastic augmentation, Adamax, cosine restarts, 100 more epochs",), "validation")),
    ),
    Claim(
        "augmentation", "After VGG16: 86 % on validation images, 85 % on test images, 90 % on training images.",
        "The program printed 0.9292 on training images.", _all(("vgg16, 100 epochs",), "train"),
    ),
    Claim(
        "augmentation", "VGG16 overfits probably because it is too deep for this task.",
        "ResNet152 is nine times as deep, and its training accuracy is 0.02 above its validation accuracy; VGG16's is 0.06.",
        (*_all(("resnet152, 100 epochs", "vgg16, 100 epochs"), "train"),
         *_all(("resnet152, 100 epochs", "vgg16, 100 epochs"), "validation")),
    ),
)  # fmt: skip
