// Callers take turns, and urgent jobs come before others without starving them.
#ifndef HELLOCNN_SERVER_SCHEDULING_FAIR_ORDER_H_
#define HELLOCNN_SERVER_SCHEDULING_FAIR_ORDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory_resource>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "server/scheduling/job_order.h"

namespace hellocnn::server {

// Deficit round robin between callers, in two bands, one for each priority. Since a job can be
// split at any image, no turn is ever exceeded, and no deficit is left to carry over.
//
// Turns: the callers of a band with queued images take turns of `turn` images. The jobs of a caller
// are served first in, first out. A caller whose last image is taken or removed loses the rest of
// its turn. When it comes back, it is the last in the round, so it gains nothing by leaving. A
// newcomer thus waits for at most a turn of each other caller of its band.
//
// Bands: while images of both priorities wait, kShares of each 8 turns are those of normal
// priority, and the rest those of low priority. So the low band gets an eighth of the images that
// are taken, however many of normal priority there are, and never starves. A caller or a band that
// waits alone takes all that it wants.
//
// Full queue: the bands share the room as they share the turns. A newcomer that makes its band
// exceed its share takes the place of a job of the caller with the most images in this band, if
// that caller will still have at least as many as the newcomer's. Another newcomer takes the place
// of a job of the other band. It is the newest job of the caller with the most images. Jobs that
// were started stay, and do not count: so nothing that was computed is wasted, and every job that
// was started ends.
//
// Cost: every function takes logarithmic time in the number of callers.
//
// See JobOrder for the contract.
class FairOrder final : public JobOrder {
 public:
  // `capacity` is how many images the queue can hold, and `turn` at least 1. `memory` outlives the
  // object.
  FairOrder(int capacity, int turn, std::pmr::memory_resource* memory);

  void Add(Waiting* job) override;
  Turn Next() const override;
  void Take(Waiting* job, int images) override;
  void Remove(Waiting* job) override;
  // Counts as if all callers had images for as many turns as the newcomer's, unless there are fewer
  // images. The result may therefore be too large, but not for a newcomer with one turn.
  int ImagesBefore(const Waiting& newcomer) const override;
  Waiting* ToDisplace(const Waiting& newcomer, int excess) const override;

 private:
  // The jobs of one caller in one band, at least one.
  struct Line {
    std::uint64_t caller;
    std::pmr::list<Waiting*> jobs;  // by arrival
    int images = 0;

    // Returns its images of jobs that were not started. Only the first job can be.
    int fresh() const {
      const Waiting& first = *jobs.front();
      return images - (first.started ? first.queued : 0);
    }
  };
  using Round = std::pmr::list<Line>;
  struct Band {
    explicit Band(std::pmr::memory_resource* memory) : round(memory), by_fresh(memory) {}
    int ImagesOf(std::uint64_t caller) const;

    Round round;   // the first caller has the turn
    int left = 0;  // images of that turn
    int images = 0;
    int one_turn = 0;  // images that all callers together take in their next turns
    absl::flat_hash_map<std::uint64_t, Round::iterator> lines;
    std::pmr::set<std::pair<int, Line*>> by_fresh;
  };

  static std::size_t IndexOf(const Waiting& job) {
    return static_cast<std::size_t>(job.origin.priority);
  }
  static std::size_t Other(std::size_t band) { return 1 - band; }
  // Returns how many images a band takes until it is the other's turn.
  int TurnOf(std::size_t band) const;
  // Returns how many images of a full queue are a band's share.
  int RoomOf(std::size_t band) const;
  // Adds a line to the sums and the index of its band, or removes it: before and after it changes.
  void Count(Line& line, Band* band) const;
  void Discount(Line& line, Band* band) const;
  // Removes a line without jobs.
  void Leave(Round::iterator line, Band* band) const;

  const int capacity_;
  const int turn_;
  std::array<Band, 2> bands_;  // by priority
  std::size_t band_ = 0;       // has the turn, unless nothing of it is queued
  int left_;                   // images of that turn
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_FAIR_ORDER_H_
