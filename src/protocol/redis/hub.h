// Who listens to what over a server connection that clients share for it. What the clients have
// sent is kept apart from what the server has answered: the server is subscribed to what any of
// them has asked for last, and each of them is told what was confirmed to it. Owned by the
// connection's ServerState; one worker at a time.
//
//   SUBSCRIBE c    goes to the server as it is, which confirms it, or refuses all of it at once
//   UNSUBSCRIBE c  goes to it when nobody else wants c, behind it a PING; the client is told with
//                  the answer to the PING, which comes behind all that was published before
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <weir/base/bytes.h>

namespace weir::redis {

using base::Bytes;
class Audience;
struct ClientState;

class Hub {
 public:
  enum class Kind : uint8_t { Channel, Pattern, Shard };

  // A client's command that is not answered yet.
  struct Change {
    enum class What : uint8_t { Begins, Ends, Reset };
    What what = What::Begins;
    Kind kind = Kind::Channel;
    std::vector<std::string> names;  // none: all that there are (Ends)
  };

  struct Listener;
  // A channel, a pattern or a channel of a shard.
  struct Topic {
    Kind kind = Kind::Channel;
    Bytes name;
    uint32_t wanted = 0;  // by so many listeners
    bool shared = false;  // by several at once, since nobody wanted it
    uint32_t stakes = 0;
    std::vector<Listener*> told;
  };

  struct Listener {
    // What it has to do with a topic.
    struct Stake {
      bool wanted = false;  // it has asked for it, and for its end not yet
      bool told = false;    // it has been confirmed, and its end not yet
      size_t place = 0;     // among those that are told
    };
    uint64_t owner = 0;
    ClientState* client = nullptr;  // leaves before it goes: Link::leave()
    std::deque<Change> changes;
    std::unordered_map<Topic*, Stake> stakes;
    size_t bytes = 0;         // of their names
    bool has_unused = false;  // stakes that are neither, as later changes may be about them
  };

  // `audience`: of all hubs of that server, or null.
  explicit Hub(std::shared_ptr<Audience> audience = nullptr);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  bool is_empty() const { return listeners_.empty(); }
  bool knows(uint64_t owner) const { return listeners_.contains(owner); }
  const Listener* listener(uint64_t owner) const;

  // It has sent this; says what is to be sent to the server on account of it, in `to_server`, and
  // how many confirmations come of that which are nobody's.
  uint32_t sent(uint64_t owner, ClientState& client, Change change, std::string& to_server);

  // The server has answered something that its oldest change is about; says what the client is
  // told. Nothing for one that is gone.
  std::string confirmed(uint64_t owner, Bytes name);
  uint32_t refused(uint64_t owner, std::string& to_server);  // as sent()
  std::string ended(uint64_t owner);
  void end_change(uint64_t owner);  // the last confirmation has come

  // It is gone.
  uint32_t leave(uint64_t owner, std::string& to_server);

  const std::vector<Listener*>& told(Kind kind, Bytes name) const;
  // How many more than the audience knows of will listen to it here, or fewer, when the server
  // comes to what is sent now.
  int64_t coming(Kind kind, Bytes name) const;
  int64_t coming_receivers(Bytes channel) const;

  // Of the piece that the server is in the middle of.
  std::vector<uint64_t> targets;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(Bytes text) const { return std::hash<Bytes>{}(text); }
  };
  using Names = std::unordered_set<Bytes>;
  using Topics = std::unordered_map<std::string, Topic, Hash, std::equal_to<>>;

  Topics& topics(Kind kind) { return topics_[static_cast<size_t>(kind)]; }
  Listener* find(uint64_t owner);
  void want(Listener& listener, Kind kind, Bytes name);
  static Names asked_again(const Listener& listener);
  struct Gone;
  void unwant(Listener& listener, Topic& topic, Gone& gone);
  void unwant_all(Listener& listener, Gone& gone);
  void tell(Listener& listener, Topic& topic);
  void untell(Listener& listener, Topic& topic);
  void drop(Listener& listener, Topic& topic);
  void drop_unused(Listener& listener, Topic& topic);
  void forget_idle(Listener& listener);
  std::string end_all(Listener& listener, Kind kind);
  void count(const Topic& topic, int64_t by);

  std::shared_ptr<Audience> audience_;
  std::unordered_map<uint64_t, Listener> listeners_;
  std::array<Topics, 3> topics_;
  size_t unanswered_ = 0;  // changes of all listeners
};

// "subscribe", "psubscribe", "sunsubscribe" and the others; nothing: it is none of them.
struct Subscription {
  Hub::Kind kind = Hub::Kind::Channel;
  bool begins = true;
};
Subscription read_subscription(Bytes word);

}  // namespace weir::redis
