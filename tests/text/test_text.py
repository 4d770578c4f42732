"""Unit and property tests of what a text weighs, what it may contain and which entities it has."""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from emoji import EMOJI_DATA
from hypothesis import given
from hypothesis import strategies as st

from command_api.text import entities, urls, validation, weighing
from command_api.text.characters import MOST_MARKS, compose
from command_api.text.emojis import find_sequences
from command_api.text.entities import extract
from command_api.text.errors import EmptyText, ForbiddenCharacter, TextError, TextTooLong, TooManyCharacters
from command_api.text.free_text import check_free_text, with_line_feeds
from command_api.text.urls import find_links
from command_api.text.validation import is_hashtag, is_username, read_tweet
from command_api.text.weighing import LIMIT
from events.entities import Entities, Hashtag, Mention, Url, fold_tag
from tests.noting import noting
from tests.text.weights import weigh

# Text that is likelier to have entities than what hypothesis would think of.
CHARACTERS = "aZ09_ \n.,-/:#@&$(!)?=%[]'\"éあ漢ـ\u0301\u200d\ufe0f\u20e3＃＠👩🏽🇨🇭☺©\u202e\ufeff"
WORDS = (
    "http:// https:// HTTP:// example.com t.co/abc .com .みんな xn-- RT :// "
    "#tag @name @name/list #漢字 a/b?c=d www. 👨‍👩‍👧‍👦"
)
PIECES = st.sampled_from([*CHARACTERS, *WORDS.split()])
TEXTS = st.lists(PIECES, max_size=30).map("".join) | st.text()
#: Not even Unicode: a JSON string can have half of a surrogate pair.
ANYTHING = st.text(st.characters(categories=None)) | TEXTS


class TestWeighing:
    @pytest.mark.parametrize(
        ("text", "weight"),
        [
            ("", 0),
            ("Hello, world", 12),
            ("a. b.c", 6),
            ("grüezi", 6),
            ("u\u0308", 1),
            ("日本語", 6),
            ("‘quoted’ – “twice”", 18),
            ("€", 2),
            ("https://example.com/a/very/long/path?with=a&query=too", 23),
            ("see example.com.", 4 + 23 + 1),
            ("ftp://example.com", 17),
            ("file.txt and v1.2", 17),
            ("http://a.com http://b.com", 23 + 1 + 23),
        ],
    )
    def test_a_text_weighs_what_its_letters_and_links_do(self, text: str, weight: int) -> None:
        assert weigh(text) == weight

    @pytest.mark.parametrize("emoji", ["😀", "👋🏽", "🇨🇭", "3️⃣", "#⃣", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️", "©️", "🏳️‍🌈"])
    def test_an_emoji_weighs_two_whatever_it_is_made_of(self, emoji: str) -> None:
        assert weigh(emoji) == 2
        assert weigh(f"a{emoji}{emoji}b") == 6

    def test_each_emoji_that_unicode_recommends_weighs_two(self) -> None:
        other = {emoji for emoji in EMOJI_DATA if weigh(emoji) != 2}
        assert other == {"©", "®"}  # signs of the Latin range, and emoji only with a variation selector

    def test_a_chain_of_emoji_that_is_no_recommended_sequence_weighs_its_parts(self) -> None:
        chain = "\u200d".join(["😷"] * 100)
        assert weigh(chain) == 299

    @given(TEXTS, TEXTS)
    def test_a_space_separates_what_is_weighed(self, one: str, other: str) -> None:
        assert weigh(f"{one} {other}") == weigh(one) + 1 + weigh(other)

    @given(ANYTHING)
    def test_any_text_has_a_weight(self, text: str) -> None:
        assert weigh(text) >= 0


class TestLinks:
    @pytest.mark.parametrize(
        ("text", "links"),
        [
            ("www.example.co.uk/a?b=c#d", ["www.example.co.uk/a?b=c#d"]),
            ("EXAMPLE.COM", ["EXAMPLE.COM"]),
            ("(http://example.com/a_(b)_(c)).", ["http://example.com/a_(b)_(c)"]),
            ("http://example.com/a_(b(c)d", ["http://example.com/a_"]),
            ("http://example.com:8080/?q=1!", ["http://example.com:8080/?q=1"]),
            ("http://example.com:/a", ["http://example.com"]),
            ("http://例え.テスト http://例え.みんな", ["http://例え.みんな"]),
            ("пример.рф http://пример.рф/ http://пример.РФ", ["http://пример.рф/", "http://пример.РФ"]),
            ("http://example.invalid http://example.local", []),
            ("xhttp://example.com", []),
            ("me@example.com a_b.com ...example.com", []),
            ("http://a_b.example.com", ["http://a_b.example.com"]),
            (f"http://{'a' * 63}.com http://{'a' * 64}.com", [f"http://{'a' * 63}.com"]),
            (f"http://a.com/{'b' * 4083} c.com", [f"http://a.com/{'b' * 4083}", "c.com"]),
            (f"http://a.com/{'b' * 4084} c.com", ["c.com"]),
            ("http://exa\u00admple.com/a http://a\u200bb.com", []),
            ("http://a\u200d.com http://a\u200cb.com", []),
            (
                "http://\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com",
                ["http://\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com"],
            ),
            ("e.g. this is.fine 3.14 file.py", ["file.py"]),
        ],
    )
    def test_the_links_are_found(self, text: str, links: list[str]) -> None:
        assert [text[start:end] for start, end, _ in find_links(text)] == links

    def test_a_domain_is_no_longer_than_domain_names_are(self) -> None:
        name = "a." * 125 + "com"
        text = f"http://{name}/b http://a.{name}.com/b"
        assert [text[link.start : link.end] for link in find_links(text)] == [f"http://{name}/b"]

    @given(TEXTS)
    def test_links_are_in_order_and_apart_and_have_a_dot(self, text: str) -> None:
        position = 0
        for start, end, has_protocol in find_links(text):
            assert position <= start < end <= len(text)
            assert "." in text[start:end]
            assert text[start:end].lower().startswith(("http://", "https://")) is has_protocol
            position = end


class TestEntities:
    def test_all_kinds_are_found_with_their_places(self) -> None:
        assert extract("Hi @Jane_Doe, #Café at https://example.com/a") == Entities(
            (Hashtag("Café", 14, 19),), (Mention("Jane_Doe", 3, 12),), (Url("https://example.com/a", 23, 44),)
        )

    def test_offsets_count_code_points(self) -> None:
        assert extract("😀😀 #a").hashtags == (Hashtag("a", 3, 5),)

    def test_the_full_width_signs_count_as_well(self) -> None:
        assert extract("＃漢字 ＠jane") == Entities((Hashtag("漢字", 0, 3),), (Mention("jane", 4, 9),))

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("@ab @abc", ["abc"]),
            (f"@{'a' * 30} @{'a' * 31}", ["a" * 30]),
            ("@abc_ @_abc @abc-", ["abc_", "_abc", "abc"]),
            ("@abc/list @abc/7 @abc/@def", ["abc", "abc", "def"]),
            ("art@abc RT@def .@ghi", ["def", "ghi"]),
            ("\u00e9RT@abc", ["abc"]),
            ("@abc@def", []),
            ("@abcé", []),
            ("@abc'sé", ["abc"]),
            ("@abc.", ["abc"]),
        ],
    )
    def test_mentions_are_of_names_an_account_can_have(self, text: str, names: list[str]) -> None:
        assert [mention.username for mention in extract(text).mentions] == names

    @pytest.mark.parametrize(
        "text", ["http://example.com/@jane/#tag", "example.com/@jane/#tag", "http://example.com/?a=@jane#tag"]
    )
    def test_what_is_in_a_link_is_no_entity_of_its_own(self, text: str) -> None:
        entities = extract(text)
        assert entities.hashtags == ()
        assert entities.mentions == ()

    def test_a_link_without_a_protocol_is_no_entity(self) -> None:
        assert extract("example.com").urls == ()

    def test_a_keycap_is_no_hashtag(self) -> None:
        assert extract("#️⃣a #⃣a").hashtags == ()

    @given(TEXTS)
    def test_the_offsets_slice_the_text_to_the_entity(self, text: str) -> None:
        entities = extract(text)
        for tag in entities.hashtags:
            assert text[tag.start] in "#＃"
            assert text[tag.start + 1 : tag.end] == tag.tag
            assert is_hashtag(tag.tag)
        for mention in entities.mentions:
            assert text[mention.start] in "@＠"
            assert text[mention.start + 1 : mention.end] == mention.username
            assert is_username(mention.username)
            assert mention.account is None
        for url in entities.urls:
            assert text[url.start : url.end] == url.url

    @given(TEXTS)
    def test_entities_do_not_overlap(self, text: str) -> None:
        found = extract(text)
        spans = [(tag.start, tag.end) for tag in found.hashtags]
        spans += [(mention.start, mention.end) for mention in found.mentions]
        spans += [(url.start, url.end) for url in found.urls]
        assert all(end <= start for (_, end), (start, _) in pairwise(sorted(spans)))

    @given(ANYTHING)
    def test_any_text_can_be_read(self, text: str) -> None:
        extract(text)


class TestTags:
    @pytest.mark.parametrize(
        "tags",
        [
            ["Straße", "STRASSE", "strasse", "ｓｔｒａｓｓｅ"],
            ["Café", "cafe\u0301", "CAFÉ"],
            ["ΣΊΣΥΦΟΣ", "σίσυφος"],
            ["ﾊｯｼｭ", "ハッシュ"],
        ],
    )
    def test_the_ways_to_write_a_tag_have_one_key(self, tags: list[str]) -> None:
        assert len(set(map(fold_tag, tags))) == 1

    @given(st.text())
    def test_the_key_of_a_key_is_itself(self, tag: str) -> None:
        assert fold_tag(fold_tag(tag)) == fold_tag(tag)

    @pytest.mark.parametrize("tag", ["a", "1a", "漢字", "a_b", "il·lusió"])
    def test_these_are_hashtags(self, tag: str) -> None:
        assert is_hashtag(tag)

    @pytest.mark.parametrize("tag", ["", "1", "_", "a b", "a-b", "#a", "a#b", "\ufe0f", "a\n", "a" * 280])
    def test_these_are_not_hashtags(self, tag: str) -> None:
        assert not is_hashtag(tag)

    @given(TEXTS)
    def test_a_word_is_a_hashtag_if_it_is_found_as_one(self, tag: str) -> None:
        found = [found.tag for found in extract(f"#{tag}").hashtags if found.start == 0]
        assert (found == [tag]) is is_hashtag(tag)


class TestUsernames:
    @pytest.mark.parametrize("name", ["abc", "a" * 30, "123", "___", "Jane_Doe"])
    def test_these_are_usernames(self, name: str) -> None:
        assert is_username(name)

    @pytest.mark.parametrize("name", ["", "ab", "a" * 31, "a-b", "abc\n", "ábc", "ａｂｃ", "١٢٣", "@abc"])
    def test_these_are_not_usernames(self, name: str) -> None:
        assert not is_username(name)


class TestChecking:
    def test_a_tweet_is_returned_composed_and_otherwise_as_written(self) -> None:
        assert read_tweet(" e\u0301\n\tb ").text == " é\n\tb "

    @pytest.mark.parametrize("given", ["a\r\nb", "a\rb", "a\nb"])
    def test_every_kind_of_line_break_is_a_line_feed(self, given: str) -> None:
        assert read_tweet(given).text == "a\nb"
        assert check_free_text(given, 3) == "a\nb"

    @pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u3000\u00a0", "\u200b\u200d", "\u2800", "\u3164"])
    def test_a_text_with_nothing_to_see_is_empty(self, text: str) -> None:
        with pytest.raises(EmptyText):
            read_tweet(text)

    def test_a_tweet_weighs_at_most_280(self) -> None:
        assert read_tweet("a" * LIMIT).text == "a" * LIMIT
        with pytest.raises(TextTooLong) as refused:
            read_tweet("a" * (LIMIT + 1))
        assert (refused.value.weight, refused.value.limit) == (LIMIT + 1, LIMIT)

    def test_the_longest_texts_that_weigh_no_more_are_accepted(self) -> None:
        links = " ".join(["http://example.com/" + "a" * (4096 - 19)] * 11)
        families = "👨‍👩‍👧‍👦" * 140
        accented = "http://example.com/" + "\u01d8" * 4000
        assert read_tweet(links).text == links
        assert read_tweet(families).text == families
        assert read_tweet(accented.replace("\u01d8", "u\u0308\u0301")).text == accented

    @pytest.mark.parametrize(
        "piece", ["a.co/(", 'a.co/"', "a.b.", "a.", "www.", "é.", "_.", "-.", "ééééééééé.", "((((((a.co/(", "http://a."]
    )
    @pytest.mark.parametrize("start", ["", "http://"])
    def test_few_labels_of_a_text_that_cannot_fit_are_looked_at(
        self, start: str, piece: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked: list[object] = []
        for name in ("_host_start", "_domain_end", "_is_label"):
            monkeypatch.setattr(urls, name, noting(looked, getattr(urls, name)))
        with pytest.raises(TextTooLong):
            read_tweet(start + piece * 30_000)
        assert len(looked) < 3 * 8 * LIMIT

    def test_many_marks_of_a_text_that_cannot_fit_are_not_composed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(validation, "compose", None)
        with pytest.raises(TextTooLong):
            read_tweet(("e" + "\u0301" * MOST_MARKS) * 1000)

    @pytest.mark.parametrize("text", ["a.co #a @abc", "a.co " * 3 + "#b", "http://a.co/" + "a" * 4000 + " @abc"])
    def test_it_is_composed_once_and_searched_for_links_once(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[object] = []
        for module, call in ((validation, compose), (weighing, find_links), (entities, find_links)):
            monkeypatch.setattr(module, call.__name__, noting(calls, call))
        assert read_tweet(text).entities != Entities()
        assert calls == [compose, find_links]

    def test_a_text_that_cannot_fit_is_refused_unweighed(self) -> None:
        with pytest.raises(TextTooLong) as refused:
            read_tweet("a" * 1_000_000)
        assert refused.value.weight == LIMIT + 1

    @pytest.mark.parametrize(
        "character",
        [
            *"\x00\x1b\x0b\x0c\x7f\x9f\u202a\u202e\u2066\u2069\ufeff\ufffe\uffff\ud800",
            *"\u206a\u206f\ufdd0\ufdef\ufff9\ufffb\U0001fffe\U0008ffff\U0010fffe\U0010ffff\U000e0001",
        ],
    )
    def test_a_character_that_no_tweet_may_have_is_named_with_its_place(self, character: str) -> None:
        with pytest.raises(ForbiddenCharacter, match=f"U\\+{ord(character):04X} at index 2") as refused:
            read_tweet(f"e\u0301{character}")
        assert (refused.value.codepoint, refused.value.index) == (ord(character), 2)

    @pytest.mark.parametrize("character", "\n\t\u200d\u200e\u200f\u061c\u00ad")
    def test_characters_that_texts_need_are_accepted(self, character: str) -> None:
        assert read_tweet(f"a{character}b").text == f"a{character}b"

    def test_so_many_marks_on_a_letter_are_no_text(self) -> None:
        assert read_tweet("a" + "\u0316" * MOST_MARKS)
        with pytest.raises(ForbiddenCharacter) as refused:
            read_tweet("a" + "\u0316" * (MOST_MARKS + 1))
        assert (refused.value.codepoint, refused.value.index) == (0x316, MOST_MARKS + 1)

    @given(ANYTHING)
    def test_free_text_holds_what_a_tweet_holds(self, text: str) -> None:
        assert _character_refused(read_tweet, text) == _character_refused(check_free_text, text, 10_000)

    def test_free_text_is_composed_before_it_is_measured(self) -> None:
        assert check_free_text(" " + "e\u0301" * 30 + "\r\n", 30) == "é" * 30
        with pytest.raises(TooManyCharacters):
            check_free_text("é" * 31, 30)
        with pytest.raises(TooManyCharacters):
            check_free_text("e" * 1_000_000, 30)

    @given(ANYTHING)
    def test_a_text_is_accepted_or_refused_with_a_reason(self, text: str) -> None:
        try:
            checked, weight, found = read_tweet(text)
        except TextError:
            return
        assert (weight, found) == (weigh(checked), extract(checked))
        assert weight == weigh(with_line_feeds(text)) <= LIMIT
        assert read_tweet(checked).text == checked
        assert checked.encode().decode() == checked


def _character_refused(check: Callable[..., object], *given: Any) -> tuple[int, int] | None:
    try:
        check(*given)
    except ForbiddenCharacter as refused:
        return refused.codepoint, refused.index
    except TextError:
        pass
    return None


def _seconds(function: Callable[[str], object], text: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.thread_time()
        with suppress(TextError):
            function(text)
        best = min(best, time.thread_time() - start)
    return best


#: What, repeated, might make a reader of text go over it again and again.
WORDS_REPEATED = (
    "@ # #a #1 #_ @a @abc/ @abc@ - . a. a-. a_. あ あ. xn--. RT@ http:// http://a. http://a.com :// .com "
    "http://a.com/ http://あ. aaa.みんな a.com/( a.com/((a http://a.com/(a(b) a.com/! a.com/?! a.com:1 "
    "a.com& t.co/a http://t.co/a- 👨\u200d 🇨 👩🏽 1\ufe0f \u0301 \u0301\u0316 \u0f73 a\u0316\u0301"
)
REPEATED = [*WORDS_REPEATED.split(), "a.com ", "@abc ", "#a ", "a" + "\u0301" * 15 + "\u0316" * 15]


@pytest.mark.slow
class TestTime:
    @pytest.mark.parametrize("function", [weigh, extract, read_tweet])
    @pytest.mark.parametrize("piece", REPEATED)
    def test_it_takes_linear_time(self, function: Callable[[str], object], piece: str) -> None:
        once, four_times = (_seconds(function, (piece * size)[:size]) for size in (10_000, 40_000))
        # Quadratic time would be sixteen times. What takes less than 50 ms is not measured well on a busy machine.
        assert four_times < max(12 * once, 0.05)

    @pytest.mark.parametrize("function", [weigh, extract, read_tweet])
    @pytest.mark.parametrize("tail", [".com", "://a.com", ".com/", "@", "#"])
    def test_a_long_word_takes_linear_time(self, function: Callable[[str], object], tail: str) -> None:
        for letter in "aあ1-_#\u0301":
            once, four_times = (_seconds(function, letter * size + tail) for size in (10_000, 40_000))
            assert four_times < max(12 * once, 0.05)

    def test_marks_that_composing_would_sort_for_seconds_are_told_apart_first(self) -> None:
        text = "a" + "\u0301" * 50_000 + "\u0316" * 50_000
        assert _seconds(weigh, text) < 5
        assert _seconds(read_tweet, text) < 5


def test_every_emoji_sequence_is_found_whole() -> None:
    for emoji in EMOJI_DATA:
        assert find_sequences(emoji) == ([(0, len(emoji))] if len(emoji) > 1 else [])
