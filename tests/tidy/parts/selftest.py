"""Each rule is shown to speak about a bad text and to keep silent about a good one."""

from .findings import RULES, Tree
from .source import Source

BODY = "".join(f"  step({i});\n" for i in range(72))
TRICKY = '''// { in a comment
/* } */ #define BRACE {
namespace weir::pool {
const char* kText = "{ \\" {";
auto kRaw = R"x( }}} " )x";
int big = 1'000'000;
char brace = '{';
struct Plain {
  std::function<void(int)> call_{};
  int x_{0};
  bool operator()(int a, int b) const { return a < b; }
};
Plain::Plain(int a) : x_{a}, y_(a) {
  std::sort(v.begin(), v.end(), [](int a, int b) { return a < b; });
  if (a) { step(); }
}
template <class T>
auto f(T a, std::map<int, int> b = {}) -> std::pair<int, int> {
  return {1, 2};
}
}
'''

# rule, path, bad text, good text. {path: text} where one file is not enough.
CASES = [
    ("floors", "src/pool/a.cpp", "#include <weir/net/loop.h>\n", "#include <weir/base/time.h>\n"),
    ("floors", "src/session/a.cpp", "#include <weir/protocol/postgres.h>\n", "#include <weir/protocol/protocol.h>\n"),
    ("floors", "src/engine/sqlite/a.cpp", "#include <weir/engine/console.h>\n", "#include <weir/pgserver/sql.h>\n"),
    ("floors", "src/protocol/redis/a.cpp", "#include <weir/protocol/postgres.h>\n",
     "// #include <weir/protocol/postgres.h>\n"),
    ("floors", "include/weir/base/a.h", "#include <weir/pool/pool.h>\n", "#include <weir/base/b.h>\n"),
    ("floors", "src/cellar/a.cpp", "int a();\n", None),
    ("unit-floors", "tests/unit/pool/a.cpp", '#include "session/session.h"\n', '#include "pool/shelf.h"\n'),
    ("unit-floors", "tests/unit/pool/a.cpp", "#include <weir/net/loop.h>\n", "#include <weir/base/time.h>\n"),
    ("quotes", "src/pool/a.cpp", '#include "base/b.h"\n', {"src/pool/a.cpp": '#include "b.h"\n', "src/pool/b.h": ""}),
    ("quotes", "src/pool/a.cpp", '#include "elsewhere.h"\n', "#include <vector>\n"),
    ("net-only", "src/app/a.cpp", "#include <uv.h>\n", {"src/net/a.cpp": "#include <uv.h>\n"}),
    ("net-only", "src/base/a.cpp", "#include <openssl/ssl.h>\n", "#include <openssl/evp.h>\n"),
    ("pure-protocol", "src/protocol/redis/a.cpp", "#include <sys/socket.h>\n", "#include <string>\n"),
    ("pure-protocol", "src/protocol/redis/a.cpp", "int f() { return std::getenv(x) != 0; }\n",
     'const char* kText = "getenv";\n'),
    ("pure-protocol", "include/weir/protocol/a.h", "#include <weir/base/log.h>\n", "#include <weir/base/bytes.h>\n"),
    ("concrete-classes", None,
     {"include/weir/protocol/redis.h": "class Redis final : public Protocol {};\n", "src/session/a.cpp": "Redis r;\n"},
     {"include/weir/protocol/redis.h": "class Redis final : public Protocol {};\n", "src/app/a.cpp": "Redis r;\n"}),
    ("shared-interface", None,
     {"include/weir/protocol/relay.h": "class A {\n  virtual int f(int (*g)(int)) const = 0;\n};\n",
      "src/protocol/redis/a.h": "int f(int (*g)(int)) const override;\n"},
     {"include/weir/protocol/relay.h": "class A {\n  virtual int f(int a) const = 0;\n};\n"
                                       "// tidy(shared-interface): why\nclass B {\n  virtual int g() { return 0; }\n};\n",
      "src/protocol/redis/a.h": "int f(\n    int a) const override {\n",
      "src/protocol/tds/a.h": "int f(int a) const override;\n"}),
    ("cmake-floors", "CMakeLists.txt", "weir_floor(pool FOLDER pool ON base net)\n",
     "weir_floor(pool FOLDER pool ON base)\n"),
    ("function-length", "src/pool/a.cpp", f"void f() {{\n{BODY}}}\n", f"void f() {{\n{BODY[:600]}\n}}\n"),
    ("function-length", "src/pool/a.cpp", f"Pool::Pool(int a)\n    : b_{{a}}, c_(a) {{\n{BODY}}}\n", TRICKY),
    ("function-length", "src/pool/a.cpp", f"class A {{\n  int f() const {{\n{BODY}  }}\n}};\n",
     f"// tidy(function-length): a table\nvoid f() {{\n{BODY}}}\n"),
    ("file-length", "src/pool/a.cpp", "int a;\n" * 501, "int a;\n" * 400),
    ("parameters", "src/pool/a.cpp", "void f(int a, int b, int c, int d, int e) {}\n",
     "void f(std::map<int, int> a, std::function<void(int, int)> b, int c, int d) {}\n"),
    ("parameters", "include/weir/pool/a.h", "class A {\n public:\n  virtual int f(int, int, int, int, int) = 0;\n};\n",
     "class A {\n  A(int a, int b);\n};\n"),
    ("adjacent-bools", "src/pool/a.h", "void f(bool a, bool b = false);\n", "void f(bool a, int b, bool* c);\n"),
    ("line-length", "src/pool/a.cpp", "int a = 1 + " + "1 + " * 30 + "1;\n", "int a = 1;\n"),
    ("whitespace", "src/pool/a.cpp", "int a; \n", "int a;\n"),
    ("banned-words", "README.md", "# by CLAU" + "DE\n", "# weir\n"),
    ("banned-words", "docs/a.md", "see /wo" + "rk/main\n", "see how it works/runs\n"),
    ("no-throw", "src/net/a.cpp", "void f() { throw 1; }\n", "// throw\nconst char* kText = \"throw\";\n"),
    ("no-coroutines", "src/app/a.cpp", "task f() { co_return; }\n", "// co_return\n"),
    ("no-sleep", "tests/unit/pool/a.cpp", "void f() { std::this_thread::sleep_for(x); }\n",
     "void f() { clock.advance(x); worker.sleep(); }\n"),
    ("todo", "src/pool/a.cpp", "// TODO(now): mend\n", "// TODO(perf): batch\n"),
    ("todo", "src/pool/a.cpp", "int a;  // FIXME\n", "int todo = 1;\n"),
    ("no-globals", "src/pool/a.cpp", "namespace weir {\nint counter = 0;\n}\n", "constexpr int kMost = 3;\n"),
    ("no-globals", "src/pool/a.cpp", "// tidy(no-globals): one\nint a = 0;\n\nint b = 0;\n",
     "// tidy(no-globals): two\nint a = 0;\nint b = 0;\n"),
    ("no-globals", "src/pool/a.h", "struct A {\n  static A& instance();\n};\n", "struct A {\n  int a = 0;\n};\n"),
    ("header-comment", "include/weir/pool/a.h", "#pragma once\n", "// A pool.\n#pragma once\n"),
]


def findings(rule, path, text):
    tree = Tree(text if isinstance(text, dict) else {path: text})
    return [f for f in RULES[rule](tree) if not f.is_warning]


def check(case):
    rule, path, bad, good = case
    wrong = []
    if not findings(rule, path, bad):
        wrong.append(f"silent about {bad!r:.90}")
    if good is not None:
        wrong += [f"speaks about a good text: {f.text}" for f in findings(rule, path, good)]
    return wrong


def check_outline():
    """The reader finds the functions among braces that are none."""
    found = [(f.name, len(f.parameters)) for f in Source("a.cpp", TRICKY).outline.functions]
    expected = [("operator()", 2), ("Plain::Plain", 1), ("f", 2)]
    return [] if found == expected else [f"{found} instead of {expected}"]


def run():
    """(name, what is wrong) for each rule."""
    wrong = {name: [] for name in RULES}
    for name in RULES:
        cases = [case for case in CASES if case[0] == name]
        wrong[name] = [text for case in cases for text in check(case)] if cases else ["has no case"]
    wrong["outline"] = check_outline()
    return list(wrong.items())
