// weir asks a server something on its own account: takes a server of the backend's pool as any
// client does, runs one lookup, gives it back. Owned by its worker until it is over; its wait and
// its talk each have a deadline.
#pragma once

#include "errands.h"
#include "lane.h"

namespace weir::session {

class Inquiry final : public Errand, public Holder {
 public:
  Inquiry(Worker& worker, Backend& backend, uint64_t id, Question question);
  ~Inquiry() override;
  void begin() override;

  bool waits_for(const pool::Ticket& ticket) const override;
  void served(std::unique_ptr<PooledServer> server) override;
  void wait_failed(const base::Error& why) override;

 private:
  void acquire();
  void talked(const base::Status& status);
  void finish(Answer answer);
  static void on_deadline(void* self, Time now);

  Worker& worker_;
  std::shared_ptr<Backend> backend_;
  const uint64_t id_;
  Question question_;
  std::shared_ptr<const Plan> plan_;
  pool::Waiter waiter_;
  Lease lease_;
  protocol::Lookup* lookup_ = nullptr;  // owned by conversation_
  std::unique_ptr<Conversation> conversation_;
  base::Timer timer_;
};

}  // namespace weir::session
