package hostile

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/levels"
)

// keyCount is how many keys each bucket has.
const keyCount = 200

// elements draws what stands between two slashes. Bytes that are no UTF-8 are not among them: S3 has no such keys.
func elements() *rapid.Generator[string] {
	literal := rapid.SampledFrom([]string{
		"", "", ".", "..", "...", "a", "a", "b", "a‛", "a‛‛", "‛", "‛2F", "‛2E", "‛2E‛2E", "‛01", "‛1F", "‛‛1f", "‛c3‛a9", "‛C3‛A9", "‛E2‛80‛9B",
		"%", "%%", "%2F", "%20", "%2e%2e", "%C3%28", "%zz", "100%", `\xff`, `\303`, "+", "a+b", " ", "  ", " lead", "trail ", "a b",
		"new\nline", "\n", "tab\t", "\t", "ret\rurn", "\r\n", "bell\a", "\x01", "\x1b[31m", "\x1f", "\x7f", "\u0080", "\u0085", "\u2028",
		"\u200b", "\u202etxt.exe", "\ufeff", "\ufffd", "\uffff", "😀", "👩‍👩‍👧", "e\u0301", "é", "ﬀ", "日本語", "\U0010ffff",
		"-", "--", "-rf", "--json", "--level=private", "-h", "--", "-r", "me", "us-east-1:x", "public", ".s3levelfs-probe-x",
		"quote'", `"`, "`id`", "$(id)", "$HOME", "*", "?", "[a]", "{a,b}", "#frag", "?query=1", "a&b=c", ";", "|", "<x>", "]]>", "&amp;", "&#1;",
		`back\slash`, "C:", "nul", "~", "~root", ".git", ".Trash-0", "a.tmp", ".hidden", "name.", ",", "a,b", "=", "@", "!", "^",
		strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("é", 127), strings.Repeat("é", 128), strings.Repeat("\x01", 30), strings.Repeat("x", 900),
	})
	mixed := rapid.StringOfN(rapid.RuneFrom([]rune("ab/. %+‛2FE01cé😀\n\t\r\x01\x1b\x7f\"'&<>\\-=,;:*?#\u2028\ufffd")), 1, 12, -1)
	return rapid.OneOf(literal, literal, mixed, rapid.StringN(1, 8, 40))
}

// hostileKey draws a key below a level, of at most room bytes.
func hostileKey(room int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		key := strings.Join(rapid.SliceOfN(elements(), 1, 5).Draw(t, "elements"), "/")
		if rapid.IntRange(0, 9).Draw(t, "slash") == 0 {
			key += "/"
		}
		key = strings.ReplaceAll(strings.ToValidUTF8(key, "�"), "\x00", "0") // no argument of a program holds 0x00
		for len(key) > room {
			_, size := utf8.DecodeLastRuneInString(key)
			key = key[:len(key)-size]
		}
		if key == "" {
			return "empty"
		}
		return key
	})
}

// always are the keys that every bucket has, below a level.
func always(room int) []string {
	n255 := strings.Repeat("n", 255)
	return []string{
		"a//b", ".", "..", "../up", "./here", "a", "a/b", "a/b/c", "content/", "content/below", "marker/", "trail /", "‛", "‛2F", "%2F", "a+b c",
		" both ends ", "new\nline", "\x01", "a\x01", "a\ufffd", "😀", "-rf", "--json", "/lead", "//", "end//", n255, n255 + "/x", "pair-1", "pair.txt", "pair", "pair/x",
		strings.Repeat("long/", room/5) + strings.Repeat("k", room%5), strings.Repeat("e", 256), "e/" + strings.Repeat("é", 128) + "/x",
	}
}

// drawKeys gives keyCount keys of the level with a prefix, drawn by each seed in turn, with what each object holds.
func drawKeys(t *testing.T, prefix string, seeds ...int) map[string]string {
	t.Helper()
	room := levels.MaxKey - len(prefix)
	drawn := map[string]string{}
	add := func(key string, n int) {
		drawn[prefix+key] = "content " + strconv.Itoa(n) + " of " + key
		if key == "marker/" || strings.HasSuffix(key, "/") && n%2 == 0 {
			drawn[prefix+key] = ""
		}
	}
	for i, key := range always(room) {
		add(key, 2*i+1)
	}
	gen := hostileKey(room)
	for n := 0; len(drawn) < keyCount; n++ {
		key := gen.Example(seeds[n%len(seeds)]*1_000_000 + n)
		if _, there := drawn[prefix+key]; !there {
			add(key, n)
		}
	}
	t.Logf("seeds %d (S3LEVELFS_SEED repeats the last): %d keys below %q", seeds, len(drawn), prefix)
	return drawn
}

// fixedSeed draws the same keys each time.
const fixedSeed = 1

// randomSeed differs each time; S3LEVELFS_SEED repeats one.
func randomSeed(t *testing.T) int {
	t.Helper()
	text := os.Getenv("S3LEVELFS_SEED")
	if text == "" {
		return int(time.Now().UnixNano() % 1_000_000_007)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("S3LEVELFS_SEED: %v", err)
	}
	return n
}
