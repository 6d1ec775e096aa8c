#include "brake.h"

#include <cctype>

namespace weir::app {

namespace {

// An address without its port, and a name as directories compare them: in small letters.
std::string key_of(const std::string& peer, const std::string& user) {
  const size_t colon = peer.rfind(':');
  const bool has_port = colon != std::string::npos &&
                        peer.find_first_not_of("0123456789", colon + 1) == std::string::npos;
  std::string key = peer.substr(0, has_port ? colon : std::string::npos) + '\0' + user;
  for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return key;
}

}  // namespace

void Brake::set_rules(int failures, base::Duration window) {
  const std::lock_guard lock(mutex_);
  failures_max_ = failures;
  window_ = window;
}

void Brake::failed(const std::string& peer, const std::string& user, base::Time now) {
  const std::lock_guard lock(mutex_);
  if (failures_max_ == 0) return;
  if (counts_.size() >= kPlacesMax)
    std::erase_if(counts_, [now](const auto& each) { return each.second.until <= now; });
  if (counts_.size() >= kPlacesMax) counts_.clear();
  Count& count = counts_[key_of(peer, user)];
  if (count.until <= now) count = {0, now + window_};
  ++count.failures;
}

base::Error Brake::refusal(const std::string& peer, const std::string& user, base::Time now) {
  const std::lock_guard lock(mutex_);
  if (failures_max_ == 0) return {};
  const auto found = counts_.find(key_of(peer, user));
  if (found == counts_.end() || found->second.until <= now) return {};
  if (found->second.failures < failures_max_) return {};
  const auto seconds = (found->second.until - now) / base::kSecond + 1;
  return {base::ErrorKind::Refused,
          "too many failed logins as user \"" + user + "\" from this address: try again in " +
              std::to_string(seconds) + " s",
          "28000"};
}

}  // namespace weir::app
