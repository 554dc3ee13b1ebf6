"""Qwen2.5-VL from transformers in the benchmarks' sizes, with random weights."""

SIZES = {
    "XS": dict(hidden=128, layers=4, heads=4, kv=2, inter=384, vdepth=2, vhidden=128, vheads=4, vinter=384, rows=64),
    "S": dict(hidden=256, layers=6, heads=4, kv=2, inter=768, vdepth=4, vhidden=256, vheads=4, vinter=768, rows=64),
    "M": dict(hidden=512, layers=8, heads=8, kv=4, inter=1536, vdepth=6, vhidden=512, vheads=8, vinter=1536, rows=16),
}
VOCABULARY = 512
PICTURE_SIDE = 112
PATCHES = 64  # of a picture
PICTURE_TOKENS = 16


def config(c, tokens, eos=None, pad=None):
    """`tokens`: ids of image, video, vision start, vision end."""
    from transformers import Qwen2_5_VLConfig

    half = c["hidden"] // c["heads"] // 2
    time = half // 4
    rest = half - time
    image, video, start, end = tokens
    return Qwen2_5_VLConfig(
        text_config=dict(
            vocab_size=VOCABULARY,
            hidden_size=c["hidden"],
            intermediate_size=c["inter"],
            num_hidden_layers=c["layers"],
            num_attention_heads=c["heads"],
            num_key_value_heads=c["kv"],
            rms_norm_eps=1e-6,
            max_position_embeddings=4096,
            rope_parameters={
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [time, rest // 2 + rest % 2, rest // 2],
            },
            bos_token_id=None,
            eos_token_id=eos,
            pad_token_id=pad,
        ),
        vision_config=dict(
            depth=c["vdepth"],
            hidden_size=c["vhidden"],
            intermediate_size=c["vinter"],
            num_heads=c["vheads"],
            out_hidden_size=c["hidden"],
            patch_size=14,
            spatial_merge_size=2,
            temporal_patch_size=2,
            window_size=112,
            fullatt_block_indexes=[c["vdepth"] - 1],
        ),
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
        tie_word_embeddings=False,
    )


def new_model(conf, attention):
    from transformers import Qwen2_5_VLForConditionalGeneration

    return Qwen2_5_VLForConditionalGeneration._from_config(conf, attn_implementation=attention).float()


def parameter_count(model):
    return sum(p.numel() for p in model.parameters())


def forward_flops(c):
    """
    Of one forward pass over a batch: 2 × the weights of matrix products a token, 4·S·hidden a token and layer for
    attention (not halved for causality), the head on the completion's positions alone. A gradient counts as 3 of these.
    """
    rows, length, hidden = c["rows"], c["prompt"] + c["completion"], c["hidden"]
    kv = c["kv"] * (hidden // c["heads"])
    layer = 2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * c["inter"]
    text = rows * length * c["layers"] * (2 * layer + 4 * length * hidden)
    text += 2 * hidden * VOCABULARY * rows * (c["completion"] + 1)
    patches, wide = rows * PATCHES, c["vhidden"]
    block = 2 * (4 * wide * wide + 3 * wide * c["vinter"]) + 4 * PATCHES * wide
    vision = patches * (2 * 1176 * wide + c["vdepth"] * block)
    vision += patches // 4 * 2 * ((4 * wide) ** 2 + 4 * wide * hidden)
    return text + vision
