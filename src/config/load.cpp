// A file and what it includes, from text to Config.
#include <weir/config/load.h>

#include <glob.h>
#include <yaml-cpp/eventhandler.h>

#include <filesystem>
#include <sstream>

#include "finish.h"
#include "options.h"

namespace weir::config {

namespace {

// yaml-cpp puts words of the text behind a colon; they may be part of a password.
std::string without_quotation(const std::string& message) {
  return message.substr(0, message.find(": "));
}

// Where the second document of a text begins, if it has one. YAML::LoadAll() never ends where
// something follows a flow collection: "{a: b}, c" has a next document for ever.
class SecondDocument final : private YAML::EventHandler {
 public:
  static std::optional<YAML::Mark> find(const std::string& text) {
    std::istringstream in(text);
    YAML::Parser parser(in);
    SecondDocument handler;
    while (handler.documents_ < 2 && parser.HandleNextDocument(handler)) {
    }
    return handler.mark_;
  }

 private:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) mark_ = mark;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  int documents_ = 0;
  std::optional<YAML::Mark> mark_;
};

// The one document of a text; null, with a complaint, when it is not YAML.
std::optional<YAML::Node> parse_yaml(Reading& reading, const std::string& text, size_t source) {
  try {
    const auto second = SecondDocument::find(text);
    if (!second) return YAML::Load(text);
    reading.complain({source, second->line + 1, second->column + 1}, {},
                     "expected one YAML document, this is the second");
  } catch (const YAML::Exception& wrong) {
    const bool placed = !wrong.mark.is_null();
    const Place place{source, placed ? wrong.mark.line + 1 : 1, placed ? wrong.mark.column + 1 : 1};
    reading.complain(place, {}, "not YAML: " + without_quotation(wrong.msg));
    // Where a quotation is not closed or a line is indented wrongly, secrets stand in odd places.
    const bool unfinished = wrong.msg.find("EOF") != std::string::npos;
    if (unfinished || reading.block_has_secret(place)) reading.hide_last_line();
  }
  return std::nullopt;
}

class Loader {
 public:
  explicit Loader(const Surroundings& around) : reading_(around) {}

  void read_text(std::string_view text, const std::string& file, int depth) {
    const size_t source = reading_.add_source(file, text);
    config_.files.push_back(file);
    if (text.size() > kFileBytesMax) {
      reading_.complain({source, 1, 1}, {},
                        "expected at most " + show_size(kFileBytesMax) + " of YAML");
      return;
    }
    const auto node = parse_yaml(reading_, std::string(text), source);
    if (!node) return;
    read_map(reading_, reading_.top(*node, source), Target<Config>{top_options(), config_});
    for (const Value& pattern : reading_.take_wanted()) read_included(pattern, depth + 1);
  }

  void complain_of_file(const std::string& file, const std::string& why) {
    reading_.complain({reading_.add_source(file, {}), 1, 1}, {}, why);
  }

  Loaded done(const std::string& file, bool was_read) {
    config_.source = file;
    if (was_read) finish(reading_, config_);
    return {std::move(config_), reading_.take_problems()};
  }

 private:
  // The files of one element of `include`. A pattern may match nothing, a plain name may not.
  void read_included(const Value& pattern, int depth) {
    std::string name;
    read_scalar<SomeText>(reading_, pattern, name);
    if (name.empty()) return;
    if (depth > kIncludeDepthMax) {
      reading_.complain(
          pattern.place, pattern.path,
          "expected files to include files at most " + std::to_string(kIncludeDepthMax) + " deep");
      return;
    }
    name = reading_.resolve(name, pattern.place.source);
    glob_t found{};
    const bool is_pattern = name.find_first_of("*?[") != std::string::npos;
    const int failed = is_pattern ? ::glob(name.c_str(), 0, nullptr, &found) : GLOB_NOMATCH;
    if (!is_pattern) read_one(pattern, name, depth);
    if (failed != 0 && failed != GLOB_NOMATCH) {
      reading_.complain(pattern.place, pattern.path, name + " cannot be read");
    }
    for (size_t i = 0; i < found.gl_pathc; ++i) read_one(pattern, found.gl_pathv[i], depth);
    ::globfree(&found);
  }

  void read_one(const Value& pattern, const std::string& file, int depth) {
    std::error_code ignored;
    const auto same = [&](const std::string& other) {
      return std::filesystem::equivalent(file, other, ignored);
    };
    if (std::any_of(config_.files.begin(), config_.files.end(), same)) {
      reading_.complain(pattern.place, pattern.path, "the file " + file + " is included twice");
      return;
    }
    if (config_.files.size() >= kFilesMax) {
      reading_.complain(pattern.place, pattern.path,
                        "expected at most " + std::to_string(kFilesMax) + " files");
      return;
    }
    const auto text = read_file(file, kFileBytesMax);
    if (!text) {
      reading_.complain(pattern.place, pattern.path, "the file " + file + ' ' + text.error().text);
      return;
    }
    read_text(text.value(), file, depth);
  }

  Reading reading_;
  Config config_;
};

}  // namespace

Loaded load(const std::string& file, const Surroundings& around) {
  Loader loader(around);
  const auto text = read_file(file, kFileBytesMax);
  if (text) {
    loader.read_text(text.value(), file, 0);
  } else {
    loader.complain_of_file(file, text.error().text);
  }
  return loader.done(file, static_cast<bool>(text));
}

Loaded load_text(std::string_view text, const std::string& file, const Surroundings& around) {
  Loader loader(around);
  loader.read_text(text, file, 0);
  return loader.done(file, true);
}

}  // namespace weir::config
