"""Makes test/fixtures/tokenizer/pipelines.json.gz and sentencepiece.json.gz: small vocabularies with what other implementations make of texts.

    python -m venv V && V/bin/pip install tokenizers==0.23.3 sentencepiece==0.2.3
    V/bin/python test/runtime/text/make_tokenizers.py TEXTS.jsonl test/fixtures/tokenizer

TEXTS.jsonl: any texts to train on (a field "context" or the line's longest string); the committed files used pubmedqa (MIT). Seed 20261126.
pipelines: ids of the Rust library tokenizers, for parts of tokenizer.json in every combination that models have.
sentencepiece: ids of google/sentencepiece for its two models, as the keys of a GGUF file would hold them.
"""
import base64, gzip, io, json, random, sys, unicodedata
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

rnd = random.Random(20261126)
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
POOL = [" ", "  ", "    ", "\n", "\r\n", "\n\n\n", "\t", "'s", "'LL", "\u00e9", "e\u0301", "123", "1234567", "3.14", "\u00bd", "患者", "です", "\U0001f999", "the ",
        " and", "\u00a0", "__", "//", "ΟΔΟΣ", "İ", "ß", "ﬁ", "１２", "ＡＢ", "\u200b", "\ufeff", "\u3000", "x" * 40, "▁", "▁▁", "<0x41>", "\x00", "\x85",
        "한국어", "क्षि", "ไทย", "👨\u200d👩\u200d👧", "🇩🇪", ".", "!!", "--", '"', "’", " \n ", "user@x.y", "#", "$=", "mg/dL", "Nguyễn", "ǅ", "가", "~", "～"]


def old_character():
    """One that Unicode has had since 3.2, with the category it has today: the library's tables are of different ages."""
    while True:
        code = rnd.choice([rnd.randint(32, 126), rnd.randint(0, 0x2FF), rnd.randint(0x370, 0x6FF), rnd.randint(0x900, 0xDFF), rnd.randint(0x1E00, 0x2FFF), rnd.randint(0x3040, 0xD7A3), rnd.randint(0xFF00, 0xFFEF), rnd.randint(0x1D400, 0x1D7FF)])
        category = unicodedata.ucd_3_2_0.category(chr(code))
        if category != "Cn" and category == unicodedata.category(chr(code)):
            return chr(code)


def make_text(vocabulary, added):
    parts = []
    for _ in range(rnd.randint(1, 10)):
        kind = rnd.random()
        if kind < 0.45:
            parts.append(rnd.choice(POOL))
        elif kind < 0.65:
            parts.append(rnd.choice(vocabulary).replace("Ġ", " ").replace("##", ""))
        elif kind < 0.78 and added:
            parts.append(rnd.choice(added))
        else:
            parts.append("".join(old_character() for _ in range(rnd.randint(1, 5))))
    return "".join(parts)


def case(tokenizer, text):
    tokenizer.encode_special_tokens = True
    plain = tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer.encode_special_tokens = False
    return [text, plain, tokenizer.encode(text, add_special_tokens=True).ids]


def pipeline(name, tokenizer, texts, count=70, spells=True):
    """`spells`: texts may spell added tokens. The library's unigram model finds control tokens in any text, which we never do."""
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    vocabulary = sorted(token for token in tokenizer.get_vocab() if spells or token not in added)
    added = added if spells else []
    return {"name": name, "tokenizer": json.loads(tokenizer.to_str()), "cases": [case(tokenizer, text) for text in [*texts[:3], *(make_text(vocabulary, added) for _ in range(count))]]}


def special(*contents):
    return [AddedToken(content, special=True, normalized=False) for content in contents]


def flagged():
    return [AddedToken("<left>", lstrip=True, normalized=False), AddedToken("<right>", rstrip=True, normalized=False), AddedToken("both", lstrip=True, rstrip=True, single_word=True, normalized=False),
            AddedToken("word", single_word=True, normalized=False), AddedToken("Norm", normalized=True), AddedToken("<think>", normalized=False), AddedToken("<think>>", normalized=False)]


def around(tokenizer, before, after):
    ends = [(token, tokenizer.token_to_id(token)) for token in dict.fromkeys([*before, *after])]
    return processors.TemplateProcessing(single=" ".join([*before, "$A", *after]), special_tokens=ends)


def byte_level(texts, split, normalizer=None, ignore=False, added=(), size=420):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    if ignore:
        tokenizer.model.ignore_merges = True
    tokenizer.add_tokens(list(added))
    return tokenizer


def spaced(texts, normalizer, split, fallback=True, size=400, added=()):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=fallback))
    if normalizer:
        tokenizer.normalizer = normalizer
    if split:
        tokenizer.pre_tokenizer = split
    first = ["<unk>", "<s>", "</s>", *([f"<0x{byte:02X}>" for byte in range(256)] if fallback else [])]
    words = [word for text in texts for word in text.replace(" ", " ▁").split(" ")]
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.train_from_iterator(words, trainers.BpeTrainer(vocab_size=size, special_tokens=first, show_progress=False, limit_alphabet=90))
    state = json.loads(trained.to_str())["model"]
    tokenizer.model = models.BPE(vocab=state["vocab"], merges=[tuple(merge) for merge in state["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=fallback)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(special("<unk>", "<s>", "</s>"))
    tokenizer.add_tokens(list(added))
    tokenizer.post_processor = around(tokenizer, ["<s>"], [])
    return tokenizer


def bert(texts, lower):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False, limit_alphabet=90))
    tokenizer.add_special_tokens([AddedToken("[MASK]", special=True, lstrip=True, normalized=False)])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", tokenizer.token_to_id("[SEP]")), ("[CLS]", tokenizer.token_to_id("[CLS]")))
    return tokenizer


def train_sentencepiece(texts, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=model, vocab_size=500, character_coverage=0.98, minloglevel=2, num_threads=1, **options)
    read = proto.ModelProto()
    read.ParseFromString(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()), read


def unigram(model, split):
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in model.pieces], unk_id=0))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(special("<unk>", "<s>", "</s>"))
    tokenizer.post_processor = around(tokenizer, [], ["</s>"])
    return tokenizer


def fallback_unigram(model):
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in model.pieces], unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(special("<unk>", "<s>", "</s>"))
    return tokenizer


def keys(kind, processor, model, texts):
    """A model as GGUF keys; texts without what GGUF writes otherwise (a literal ▁) or sentencepiece cuts off (zero bytes)."""
    vocabulary = [piece.piece for piece in model.pieces]
    cases = [text for text in (make_text(vocabulary, []).replace("▁", "_").replace("\x00", "") for _ in range(120)) if text]
    return {"model": kind, "tokens": vocabulary, "scores": [piece.score for piece in model.pieces], "types": [piece.type for piece in model.pieces],
            "charsmap": base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode(), "addSpacePrefix": model.normalizer_spec.add_dummy_prefix,
            "removeExtra": model.normalizer_spec.remove_extra_whitespaces, "cases": [[text, processor.encode(text)] for text in [*texts[:3], *cases]]}


def write(path, value):
    with open(path, "wb") as file:
        file.write(gzip.compress(json.dumps(value, ensure_ascii=False).encode(), 9, mtime=0))


def read_texts(path):
    rows = [json.loads(line) for line in open(path)]
    return [max((str(value) for value in row.values()), key=len)[:600] for row in rows][:250]


def main(source, folder):
    texts = read_texts(source)
    isolated = lambda expression: pre_tokenizers.Split(Regex(expression), "isolated")
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    uni, uni_model = train_sentencepiece(texts, model_type="unigram", normalization_rule_name="nmt_nfkc")
    fall, fall_model = train_sentencepiece(texts, model_type="unigram", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False)
    bpe, bpe_model = train_sentencepiece(texts, model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True)
    llama3 = byte_level(texts, pre_tokenizers.Sequence([isolated(LLAMA3), bytes_only]), ignore=True, added=special("<|begin_of_text|>", "<|eot_id|>"))
    llama3.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), around(llama3, ["<|begin_of_text|>"], [])])
    roberta = byte_level(texts, pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True), added=special("<s>", "</s>"))
    roberta.post_processor = processors.RobertaProcessing(("</s>", roberta.token_to_id("</s>")), ("<s>", roberta.token_to_id("<s>")))
    words = byte_level(texts, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("merged_with_next"), pre_tokenizers.Digits(individual_digits=False), bytes_only]), normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()]), added=flagged())
    pipelines = [
        pipeline("llama3", llama3, texts),
        pipeline("qwen2", byte_level(texts, pre_tokenizers.Sequence([isolated(LLAMA3.replace("{1,3}", "")), bytes_only]), normalizers.NFC(), added=[*special("<|im_start|>", "<|im_end|>"), *flagged()]), texts),
        pipeline("deepseek-v3", byte_level(texts, pre_tokenizers.Sequence([isolated(r"\p{N}{1,3}"), isolated("[一-龥\u3040-ゟ゠-ヿ]+"), isolated(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), bytes_only])), texts),
        pipeline("roberta", roberta, texts),
        pipeline("words", words, texts),
        pipeline("digits", byte_level(texts, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Split(" ", "merged_with_previous"), bytes_only]), normalizers.NFKC(), added=flagged()), texts),
        pipeline("whitespace", byte_level(texts, pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.CharDelimiterSplit("x"), bytes_only]), normalizers.NFD()), texts),
        pipeline("inverted", byte_level(texts, pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\w+|\s"), "removed", invert=True), bytes_only])), texts),
        pipeline("llama-legacy", spaced(texts, normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None, added=[AddedToken("<think>", normalized=False), AddedToken("word", normalized=True)]), texts),
        pipeline("llama-first", spaced(texts, None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), added=[AddedToken("<think>", normalized=False)]), texts),
        pipeline("gemma", spaced(texts, normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous")), texts),
        pipeline("unknown", spaced(texts, None, pre_tokenizers.Metaspace(prepend_scheme="never", split=True), fallback=False), texts),
        pipeline("bert-uncased", bert(texts, True), texts),
        pipeline("bert-cased", bert(texts, False), texts),
        pipeline("t5", unigram(uni_model, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])), texts, spells=False),
        pipeline("unigram-bytes", fallback_unigram(fall_model), texts, spells=False),
    ]
    write(f"{folder}/pipelines.json.gz", pipelines)
    write(f"{folder}/sentencepiece.json.gz", [keys("t5", uni, uni_model, texts), keys("t5", fall, fall_model, texts), keys("llama", bpe, bpe_model, texts)])


main(*sys.argv[1:3])
