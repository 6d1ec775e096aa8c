#include "option.h"

namespace weir::config {

void complain_unknown(Reading& reading, const Entry& entry, const std::vector<std::string>& known) {
  const std::string near = nearest(entry.key, known);
  // Whatever stands where a password could is not shown.
  const bool beside_secret = std::any_of(known.begin(), known.end(), [](const std::string& name) {
    return name.ends_with("password");
  });
  if (!near.empty()) {
    reading.complain(entry.key_place, entry.value.path, "unknown key; did you mean " + near + "?");
    if (beside_secret) reading.hide_last_line();
  } else if (reading.follows_secret(entry.key_place)) {  // perhaps the rest of it
    reading.complain(entry.key_place, entry.map_path, "unknown key");
    reading.hide_last_line();
  } else {
    reading.complain(entry.key_place, entry.value.path, "unknown key");
    if (beside_secret) reading.hide_last_line();
  }
}

bool is_list(const Value& value) { return value.node.IsSequence(); }

}  // namespace weir::config
