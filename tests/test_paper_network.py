"""The paper's model against its equations in NumPy and open_clip's own forward pass, and its promises."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_paper import AUS, SIZES, paper_inputs, paper_labels, tiny_options, tiny_paper
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from microau.engine.errors import MicroauError
from microau.engine.landmarks import IBUG68
from microau.training.layout import Layout
from microau.training.paper import CASME2_UNITS, paper_layout, paper_loss, paper_model
from microau.training.paper.landmarks import TABLE_I
from microau.training.prompts import overall, state_sentences
from microau.training.towers import ClipSizes, TextTower, VisualTower, clip_model
from microau.training.towers.library import open_clip
from microau.training.towers.text import tokenize

VARIANTS = [
    {},
    {"pta": "shared", "heads": "shared", "dependency": "row"},
    {"pooling": "mean", "fusion": "cat", "beta": 0.0},
    {"pooling": "max", "fusion": "add", "beta": 0.0},
    {"tokens": "plain"},
    {"branches": "lsi", "beta": 0.0},
    {"branches": "gsd"},
]


def named(settings: dict) -> str:
    return "-".join(f"{k}={v}" for k, v in settings.items() if k != "beta") or "default"


variants = pytest.mark.parametrize("settings", VARIANTS, ids=named)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def linear(layer: nn.Module, x: np.ndarray, n: int) -> np.ndarray:
    """x through one of the model's linear maps, that of unit n where each unit has its own."""
    weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
    return x @ weight.T + bias if weight.ndim == 2 else x @ weight[n] + bias[n]


def mlp(layers: nn.Sequential, x: np.ndarray, n: int = 0) -> np.ndarray:
    first, _, second = layers
    return linear(second, np.maximum(linear(first, x, n), 0), n)


def pool_by_hand(model, own: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """F~_n and what each landmark had of it, from the tokens (L_n, D)."""
    kind = model.options.pooling
    if kind == "pta":
        weights = softmax(np.array([mlp(model.pool.mlp, token, n)[0] for token in own]))  # Eq 2
        return sum(w * token for w, token in zip(weights, own, strict=True)), weights  # Eq 3
    if kind == "mean":
        return own.mean(axis=0), np.full(len(own), 1 / len(own))
    return own.max(axis=0), np.bincount(own.argmax(axis=0), minlength=len(own)) / own.shape[1]


def fuse_by_hand(model, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F_G (D,) and W_d (N,)."""
    options, units = model.options, len(local)
    if options.branches == "lsi":
        return np.zeros(local.shape[1]), np.zeros(units)
    if options.fusion == "cat":
        return mlp(model.fuse.mlp, local.ravel()), np.zeros(units)
    if options.fusion == "add":
        return mlp(model.fuse.mlp, local.sum(axis=0)), np.zeros(units)
    w_q, w_k, w_v = (
        getattr(model.fuse, name).weight.detach().double().numpy().T for name in ("query", "key", "value")
    )
    q, k = local @ w_q, local @ w_k
    a = np.array(
        [
            softmax(np.array([q[i] @ k[j] for j in range(units)]) / np.sqrt(local.shape[1]))
            for i in range(units)
        ]
    )
    if options.dependency == "row":
        said = np.array([linear(model.fuse.fc, a[n], 0)[0] for n in range(units)])
    else:
        said = linear(model.fuse.fc, a.ravel(), 0)
    w_d = softmax(np.maximum(said, 0))  # Eq 5
    return w_d @ local @ w_v, w_d  # Eq 6


@variants
def test_the_forward_pass_is_the_papers_equations(settings):
    """Eq 1-7 for each sample, unit by unit and landmark by landmark, in double precision."""
    model = tiny_paper(**settings)
    image, landmarks = paper_inputs(model, 2, seed=3)
    with torch.no_grad():
        said = model(image, landmarks)
        x = model.visual.tuned(model.frozen(image)).double().numpy()  # (B, 50, W)
    proj = model.visual.proj.detach().double().numpy()
    plain = model.options.tokens == "plain"
    for b in range(2):
        tokens = x[b] if plain else x[b] @ proj  # (50, D)
        local = []
        for n, unit in enumerate(model.layout.tokens):
            if model.options.branches == "gsd":
                local.append(linear(model.start, tokens[0], n))
                assert float(said.attention[b, n].abs().sum()) == 0
                continue
            points = landmarks[b].numpy()
            places = [(int(points[k, 1] * 7 / 224), int(points[k, 0] * 7 / 224)) for k in unit]  # Eq 1
            own = np.stack([tokens[1 + row * 7 + column] for row, column in places])
            feature, weights = pool_by_hand(model, own, n)
            np.testing.assert_allclose(said.attention[b, n, : len(unit)], weights, atol=1e-5)
            local.append(feature)
        f = np.stack(local)
        together, w_d = fuse_by_hand(model, f)
        np.testing.assert_allclose(said.dependency[b], w_d, atol=1e-5)
        final = f + together
        logits = [mlp(model.heads, final[n], n) for n in range(len(f))]  # Eq 7
        np.testing.assert_allclose(said.logits[b], logits, atol=2e-5)
        np.testing.assert_allclose(said.features[b], final @ proj if plain else final, atol=5e-5)


def test_the_towers_are_those_of_open_clip():
    """Split, trimmed and put together again, they give what open_clip's own forward pass gives."""
    torch.manual_seed(0)
    clip = clip_model(SIZES, "random").eval()
    texts = [text for pair in state_sentences(AUS) for text in pair]
    image = torch.randn(3, 3, 56, 56)
    with torch.no_grad():
        wanted_image, wanted_text = clip.encode_image(image), clip.encode_text(open_clip().tokenize(texts))
        clip.visual.output_tokens = True
        wanted_tokens = clip.visual(image)[1] @ clip.visual.proj
        visual, text = VisualTower(clip.visual, 2), TextTower(clip, 1)
        got = visual.shared(visual.tuned(visual.frozen(image)))
        tokens, ends = tokenize(texts, SIZES.context)
        told = text.tuned(text.frozen(tokens), ends)
    torch.testing.assert_close(got[:, 0], wanted_image, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(got[:, 1:], wanted_tokens, atol=1e-5, rtol=1e-4)
    assert tokens.shape[1] < 12  # of 77
    torch.testing.assert_close(told, wanted_text, atol=1e-5, rtol=1e-4)


@variants
def test_what_is_kept_equals_what_is_computed_anew(settings):
    """Outputs, losses and gradients, with the frozen layers computed once or at every step."""
    model = tiny_paper(**settings)
    image, landmarks = paper_inputs(model, 4)
    labels = paper_labels(model, 4)
    kept = model.frozen(image)
    results = []
    for said in (model(image, landmarks), model.from_frozen(kept, landmarks)):
        model.zero_grad()
        losses = paper_loss(model, said, labels)
        losses["total"].backward()
        grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        results.append((said, losses, grads))
    (said_a, losses_a, grads_a), (said_b, losses_b, grads_b) = results
    for a, b in zip(said_a, said_b, strict=True):
        assert torch.equal(a, b)
    assert losses_a.keys() == losses_b.keys()
    assert all(torch.equal(losses_a[name], losses_b[name]) for name in losses_a)
    assert grads_a.keys() == grads_b.keys()
    assert all(torch.equal(grads_a[name], grads_b[name]) for name in grads_a)


def test_kept_rows_are_those_of_any_batch():
    """A sample's hidden states do not depend on the batch in which they were computed."""
    model = tiny_paper()
    image, _ = paper_inputs(model, 5)
    alone = torch.cat([model.frozen(image[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(model.frozen(image), alone, atol=1e-5, rtol=1e-4)


@variants
def test_training_and_evaluation_round_alike(settings):
    """What was kept in one mode is what is computed in the other, to the last bit."""
    model = tiny_paper(**settings)
    image, landmarks = paper_inputs(model, 3)
    with torch.no_grad():
        training, text = model.train()(image, landmarks), model.text_features()
        for a, b in zip(training, model.eval()(image, landmarks), strict=True):
            assert torch.equal(a, b)
        assert torch.equal(text, model.text_features())
        assert not model.training


def test_only_the_last_layers_and_the_new_parts_learn():
    model = tiny_paper(trainable_layers=2)
    image, landmarks = paper_inputs(model, 6)
    hidden = model.frozen(image)
    assert not hidden.requires_grad
    paper_loss(model, model.from_frozen(hidden, landmarks), paper_labels(model, 6))["total"].backward()
    learning = {
        name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0
    }
    assert {name for name, p in model.named_parameters() if p.requires_grad} == learning
    towers = {name for name in learning if name.startswith(("visual.", "text."))}
    assert {".".join(name.split(".")[:3]) for name in towers} == {
        f"{tower}.blocks.{layer}" for tower in ("visual", "text") for layer in (1, 2)
    }


def test_tuning_the_final_layers_is_a_setting():
    names = {name for name, p in tiny_paper(tune_final=True).named_parameters() if p.requires_grad}
    final = {"visual.ln_post.weight", "visual.proj", "text.ln_final.weight", "text.text_projection"}
    assert final < names
    assert not final & {name for name, p in tiny_paper().named_parameters() if p.requires_grad}


@pytest.mark.parametrize("settings", [{"text": "fixed"}, {"contrast": "none", "alpha": 0.0}])
def test_a_fixed_text_tower_does_not_learn(settings):
    model = tiny_paper(**settings)
    assert not any(p.requires_grad for p in model.text.parameters())
    assert not model.text_features().requires_grad


def swap(aus: tuple[int, ...], i: int, j: int) -> list[int]:
    order = list(range(len(aus)))
    order[i], order[j] = order[j], order[i]
    return order


@pytest.mark.parametrize("settings", [{}, {"dependency": "row"}, {"fusion": "add", "beta": 0.0}], ids=named)
def test_swapping_two_units_swaps_their_outputs(settings):
    """With the weights of the two units swapped as well, nothing else changes."""
    model = tiny_paper(**settings)
    i, j = AUS.index(4), AUS.index(17)
    order, layout, units = swap(AUS, i, j), model.layout, len(AUS)
    pick = lambda values: tuple(values[k] for k in order)  # noqa: E731
    other_layout = dataclasses.replace(
        layout,
        aus=pick(layout.aus),
        right=pick(layout.right),
        left=pick(layout.left),
        middle=pick(layout.middle),
    )
    other = paper_model(tiny_options(**settings), other_layout)
    state = model.state_dict()
    for name, value in state.items():
        if name.startswith(("pool.mlp", "heads")):
            state[name] = value[order]
        if name == "fuse.fc.weight" and value.shape[0] == units:
            state[name] = value.view(units, units, units)[order][:, order][:, :, order].reshape(units, -1)
        elif name == "fuse.fc.weight":
            state[name] = value[:, order]
        elif name == "fuse.fc.bias" and len(value) == units:
            state[name] = value[order]
    other.load_state_dict(state)
    other.read_sentences()
    image, landmarks = paper_inputs(model, 3)
    with torch.no_grad():
        before, after = model(image, landmarks), other(image, landmarks)
        torch.testing.assert_close(model.text_features()[order], other.text_features())
    for name in before._fields:
        torch.testing.assert_close(
            getattr(before, name)[:, order], getattr(after, name), atol=1e-5, rtol=1e-4
        )
    assert not torch.allclose(before.logits[:, i], before.logits[:, j])


@pytest.mark.parametrize("pooling", ["pta", "mean", "max"])
def test_places_that_are_filled_up_change_nothing(pooling):
    """A unit of two landmarks beside one of six is what it is alone."""
    together = tiny_paper((1, 12), branches="lsi", beta=0.0, pooling=pooling)
    alone = tiny_paper((12,), branches="lsi", beta=0.0, pooling=pooling)
    state = together.state_dict()
    alone.load_state_dict(
        {n: v[1:] if n.startswith(("pool.mlp", "heads")) else v for n, v in state.items()}
    )
    image, landmarks = paper_inputs(together, 4)
    corners = [together.layout.landmarks.index(int(IBUG68[k])) for k in TABLE_I[12]]
    order = [corners[alone.layout.tokens[0].index(k)] for k in range(2)]
    with torch.no_grad():
        both, single = together(image, landmarks), alone(image, landmarks[:, order])
    torch.testing.assert_close(both.features[:, 1:], single.features, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(both.logits[:, 1:], single.logits, atol=1e-5, rtol=1e-4)
    assert float(both.attention[:, 1, 2:].abs().max()) == 0
    torch.testing.assert_close(both.attention.sum(-1), torch.ones(4, 2))


def test_local_independence():
    """Landmarks that are not a unit's own change its output through the global feature alone."""
    for settings, independent in (({"branches": "lsi", "beta": 0.0}, True), ({}, False)):
        model = tiny_paper(**settings)
        n = AUS.index(17)
        image, landmarks = paper_inputs(model, 2)
        moved = landmarks.clone()
        others = sorted(set(range(len(model.layout.landmarks))) - set(model.layout.tokens[n]))
        moved[:, others] = 224 - moved[:, others]
        with torch.no_grad():
            before, after = model(image, landmarks), model(image, moved)
        torch.testing.assert_close(before.attention[:, n], after.attention[:, n])
        assert torch.equal(before.logits[:, n], after.logits[:, n]) == independent


def test_the_batch_is_no_more_than_its_rows():
    model = tiny_paper()
    image, landmarks = paper_inputs(model, 3)
    with torch.no_grad():
        whole = model(image, landmarks)
        for i in range(3):
            for together, alone in zip(whole, model(image[i : i + 1], landmarks[i : i + 1]), strict=True):
                torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_still_flow_is_mid_grey_and_the_scale_is_the_settings():
    picture = tiny_paper(picture=4.0).picture
    flow = torch.tensor([0.0, 4.0, -4.0]).expand(3, 3)[None, :, :, None]  # (1, 3, 3, 1)
    shown = picture(flow)[0, :, :, 0] * picture.std[:, :, 0] + picture.mean[:, :, 0]
    torch.testing.assert_close(shown, torch.tensor([0.5, 1.0, 0.0]).expand(3, 3))


def test_one_seed_one_model_and_the_callers_chance_is_left_alone():
    torch.manual_seed(7)
    wanted = torch.rand(1)
    torch.manual_seed(7)
    a, b, c = (paper_model(tiny_options(), paper_layout((4, 12)), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), wanted)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.visual.conv1.weight, c.visual.conv1.weight)
    assert not torch.equal(a.heads[0].weight, c.heads[0].weight)


def test_folds_can_be_stacked_in_one_call():
    """torch.func runs several models side by side: the way to many folds on one GPU."""
    models = [tiny_paper(seed=seed) for seed in (1, 2)]
    params, buffers = torch.func.stack_module_state(models)
    image, landmarks = paper_inputs(models[0], 4)
    hidden = models[0].frozen(image)

    def one(params, buffers):
        return torch.func.functional_call(models[0], (params, buffers), (hidden, landmarks))

    models[0].forward = models[0].from_frozen
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # the fast kernel has no rule for stacks
        together = torch.func.vmap(one)(params, buffers)
        for k, model in enumerate(models):
            torch.testing.assert_close(together.logits[k], model.from_frozen(hidden, landmarks).logits)


def test_table_one_of_the_paper():
    layout = paper_layout(CASME2_UNITS)
    for au, unit in zip(layout.aus, layout.tokens, strict=True):
        assert [layout.landmarks[k] for k in unit] == [int(IBUG68[k]) for k in TABLE_I[au]]
    assert not layout.sided.any()
    with pytest.raises(MicroauError, match="AU 6, 25: not in the paper's Table I"):
        paper_layout((4, 6, 25))


def test_other_units_work_with_their_own_landmarks():
    model = paper_model(tiny_options(), Layout.of((4, 6, 25)))
    assert model(*paper_inputs(model, 2)).logits.shape == (2, 3, 2)


def test_the_text_about_all_units_fits_clip():
    worst = [overall(CASME2_UNITS, [0] * 8), overall(CASME2_UNITS, [1] * 8)]
    tokens, _ = tokenize(worst, ClipSizes().context)
    assert tokens.shape[1] <= 77
    with pytest.raises(MicroauError, match="CLIP reads 20"):
        tokenize(worst, 20)
