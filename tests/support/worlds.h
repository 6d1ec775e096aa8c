// Everything between the clients and the servers, without threads and without an operating system:
// workers with fake loops, a House with one backend, and a model database behind it. The test moves
// the clock and makes each event happen.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include <weir/session/worker.h>

#include "model_database.h"

namespace weir::model {

inline protocol::Admission trusting() {
  protocol::Admission out;
  out.method = protocol::AuthMethod::Trust;
  return out;
}

struct WorldOptions {
  uint32_t workers = 1;
  pool::Options pool;
  session::Plan plan;  // its dialler is filled in
  int server_cap = 0;  // a budget of its own
  uint64_t seed = 1;
  session::Door door;                          // its protocol is filled in
  protocol::Admission admission = trusting();  // of every client
  std::string peer = "fake:";                  // where every client seems to come from
};

class PooledWorld final : public session::House {
 public:
  explicit PooledWorld(WorldOptions options)
      : options_(std::move(options)),
        cap_("server connections of the test", options_.server_cap),
        protocol_(postgres::make_protocol(texts_)),
        backend_(std::make_shared<session::Backend>("base", "app", *protocol_, options_.workers)) {
    auto plan = std::make_shared<session::Plan>(options_.plan);
    plan->dialler = std::shared_ptr<session::Dialler>(std::shared_ptr<void>(), &database);
    plan->target = {.user = "app", .secret = "", .database = "base", .settings = {}};
    plan->client = options_.plan.client;
    plan->client.statement_bytes_max = 1 << 20;
    plan->client.pool = 1;
    backend_->set_plan(plan);
    backend_->set_pool(std::make_unique<pool::Pool>(
        options_.pool, std::vector<pool::Budget*>{&cap_}, options_.workers, options_.seed));
    options_.door.protocol = protocol_.get();
    for (uint32_t id = 0; id < options_.workers; ++id) {
      loops_.push_back(std::make_unique<fake::FakeLoop>());
      workers_.push_back(std::make_unique<session::Worker>(id, *loops_.back(), *this));
    }
  }
  ~PooledWorld() {
    for (const auto& loop : loops_)
      while (loop->deliver_letter()) {
      }
    for (const auto& worker : workers_) worker->clear();
    for (const auto& loop : loops_) loop->advance(0);  // deletes what was to be deleted later
    backend_->set_pool(nullptr);
  }

  fake::FakeLoop outside;  // where the clients' and the servers' own ends are
  ModelDatabase database{outside};

  fake::FakeLoop& loop(uint32_t id) { return *loops_[id]; }
  uint32_t workers() const override { return options_.workers; }
  session::Worker& worker(pool::WorkerId id) override { return *workers_[id]; }
  session::Backend& backend() { return *backend_; }
  pool::Pool& pool() { return backend_->pool(); }
  pool::Budget& cap() { return cap_; }
  base::InternTable& texts() { return texts_; }
  base::Time now() const { return outside.now(); }
  int admitted() const { return admitted_; }
  int visits() const { return visits_; }  // clients that have said who they are
  int visits_over_tls() const { return visits_over_tls_; }

  // A new client of this worker; the test has the other end.
  std::unique_ptr<fake::FakeStream> connect(uint32_t id = 0) {
    auto [near, far] = fake::make_fake_streams(outside, loop(id));
    far->set_peer(options_.peer);
    workers_[id]->greet(std::make_shared<session::Door>(options_.door), std::move(far));
    return std::move(near);
  }
  void tick() {
    pool().tick(now(), workers_[0]->orders());
    workers_[0]->carry_out(*backend_);
  }
  void advance(base::Duration by) {
    outside.advance(by);
    for (const auto& loop : loops_) loop->advance(by);
  }
  // Until nothing more happens without the clock.
  void settle() {
    for (bool any = true; any;) {
      any = outside.settle() > 0;
      for (const auto& loop : loops_) any = loop->settle() > 0 || any;
    }
    database.sweep();
  }
  void pass(base::Duration time, base::Duration at_a_time = 100 * base::kMillisecond) {
    settle();
    for (base::Duration left = time; left > 0; left -= at_a_time) {
      advance(std::min(left, at_a_time));
      settle();
      tick();
      settle();
    }
  }
  // Summed over the workers.
  int64_t clients(session::ClientCount which) const {
    return sum([which](const session::Stats& stats) { return stats.clients[which].value(); });
  }
  int64_t ends(session::EndReason why) const {
    return sum([why](const session::Stats& stats) { return stats.ends[why].value(); });
  }
  int64_t closes(session::CloseReason why) const {
    return sum([why](const session::Stats& stats) { return stats.closes[why].value(); });
  }
  template <class Get>
  int64_t sum(Get get) const {
    int64_t all = 0;
    for (const session::Stats& stats : backend_->stats()) all += get(stats);
    return all;
  }

 private:
  void admit(const session::Visitor& visitor, session::Worker&,
             std::function<void(session::Admitted)> done) override {
    ++visits_;
    if (visitor.over_tls) ++visits_over_tls_;
    session::Admitted out;
    out.backend = backend_;
    out.admission = options_.admission;
    out.admission.options = backend_->plan()->client;
    ++admitted_;
    out.on_leave = [this] { --admitted_; };
    done(std::move(out));
  }
  void login_failed(const std::string&, const protocol::LoginRequest&) override {}

  WorldOptions options_;
  int admitted_ = 0;
  int visits_ = 0;
  int visits_over_tls_ = 0;
  base::InternTable texts_;
  pool::Budget cap_;
  std::unique_ptr<protocol::Protocol> protocol_;
  std::vector<std::unique_ptr<fake::FakeLoop>> loops_;
  std::shared_ptr<session::Backend> backend_;
  std::vector<std::unique_ptr<session::Worker>> workers_;
};

}  // namespace weir::model
