// Which parts of a name an expression's tree matches: for each node and each place to start at, the
// set of places where a match may end, computed once. Then, from the top, each part of the match is
// made as long as it can be, from left to right.
#include <utility>

#include "name_pattern.h"

namespace weir::config {

namespace {

using Node = NamePattern::Node;
using Kind = Node::Kind;
using Ends = std::bitset<NamePattern::kNameBytesMax + 1>;

class Finder {
 public:
  Finder(const std::vector<Node>& nodes, std::string_view name)
      : nodes_(nodes), name_(name), known_(nodes.size() * (name.size() + 1)) {}

  const Ends& ends(uint16_t node, size_t begin) {
    std::optional<Ends>& known = known_[node * (name_.size() + 1) + begin];
    if (!known) known = compute(nodes_[node], begin);
    return *known;
  }

  // The part of a match from `begin` to `end` that `wanted` makes up, if it takes part.
  std::optional<std::pair<size_t, size_t>> part(uint16_t wanted, size_t begin, size_t end);

 private:
  Ends compute(const Node& node, size_t begin);
  Ends after(const Ends& begins, uint16_t node);
  Ends repeat(const Node& node, size_t begin);
  bool contains(uint16_t node, uint16_t wanted) const;

  const std::vector<Node>& nodes_;
  std::string_view name_;
  std::vector<std::optional<Ends>> known_;
};

Ends Finder::compute(const Node& node, size_t begin) {
  const Ends here = Ends().set(begin);
  switch (node.kind) {
    case Kind::Empty: return here;
    case Kind::Begin: return begin == 0 ? here : Ends();
    case Kind::End: return begin == name_.size() ? here : Ends();
    case Kind::Bytes: {
      const bool fits =
          begin < name_.size() && node.bytes.test(static_cast<unsigned char>(name_[begin]));
      return fits ? here << 1 : Ends();
    }
    case Kind::Group: return ends(node.left, begin);
    case Kind::Concat: return after(Ends(ends(node.left, begin)), node.right);
    case Kind::Either: return Ends(ends(node.left, begin)) | ends(node.right, begin);
    case Kind::Repeat: return repeat(node, begin);
  }
  return {};
}

Ends Finder::after(const Ends& begins, uint16_t node) {
  Ends out;
  for (size_t begin = 0; begin <= name_.size(); ++begin)
    if (begins.test(begin)) out |= ends(node, begin);
  return out;
}

// As often as it has to be, or until once more makes no difference; from there on only the places
// that are new are looked at.
Ends Finder::repeat(const Node& node, size_t begin) {
  Ends now = Ends().set(begin);
  for (int times = 0; times < node.min; ++times) {
    const Ends next = after(now, node.left);
    if (next == now) break;
    now = next;
  }
  Ends out = now;
  for (int times = node.min; times < node.max && now.any(); ++times) {
    now = after(now, node.left) & ~out;
    out |= now;
  }
  return out;
}

bool Finder::contains(uint16_t node, uint16_t wanted) const {
  const Node& at = nodes_[node];
  if (node == wanted) return true;
  const bool has_left = at.kind >= Kind::Group;
  const bool has_right = at.kind == Kind::Concat || at.kind == Kind::Either;
  return (has_left && contains(at.left, wanted)) || (has_right && contains(at.right, wanted));
}

std::optional<std::pair<size_t, size_t>> Finder::part(uint16_t wanted, size_t begin, size_t end) {
  auto node = static_cast<uint16_t>(nodes_.size() - 1);
  while (node != wanted) {
    const Node& at = nodes_[node];
    if (!contains(node, wanted) || at.kind == Kind::Repeat) return std::nullopt;
    if (at.kind == Kind::Either) {
      node = ends(at.left, begin).test(end) ? at.left : at.right;
      continue;
    }
    size_t middle = end;
    while (!ends(at.left, begin).test(middle) || !ends(at.right, middle).test(end)) --middle;
    const bool is_left = contains(at.left, wanted);
    node = is_left ? at.left : at.right;
    (is_left ? end : begin) = middle;
  }
  return std::pair(begin, end);
}

}  // namespace

base::Result<NamePattern> NamePattern::compile(std::string_view text) {
  PatternReader reader(text);
  reader.whole();
  if (!reader.error().empty()) return base::Error{base::ErrorKind::Config, reader.error()};
  NamePattern out;
  out.nodes_ = std::move(reader.nodes);
  out.group_ = reader.group;
  out.is_group_repeated_ = reader.is_group_repeated;
  return out;
}

std::optional<NamePattern::Match> NamePattern::find(std::string_view name) const {
  if (nodes_.empty() || name.size() > kNameBytesMax) return std::nullopt;
  Finder finder(nodes_, name);
  const auto root = static_cast<uint16_t>(nodes_.size() - 1);
  for (size_t begin = 0; begin <= name.size(); ++begin) {
    const Ends& ends = finder.ends(root, begin);
    if (ends.none()) continue;
    Match match{begin, name.size()};
    while (!ends.test(match.end)) --match.end;
    if (group_ == kNone) return match;
    if (const auto part = finder.part(group_, begin, match.end))
      match.group = name.substr(part->first, part->second - part->first);
    return match;
  }
  return std::nullopt;
}

}  // namespace weir::config
