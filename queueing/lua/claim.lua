-- claim: a worker takes the first present entry; the absent ones ahead of it step aside into held.
-- One window of the line a call: a script blocks everybody, so a long row of absent entries is passed in several.
-- KEYS    the line's keys, see LineKeys
-- ARGV    1 worker; 2 window (at most 1,000 ids); 3 grace in ms
-- Return  {id, passed}: claimed; {"", passed}: the whole window was absent, call again with a larger one;
--         {} (nothing): the line is empty
local line, held, due, grace = KEYS[1], KEYS[2], KEYS[3], KEYS[5]
local claims, version, moves, foreign, inbox = KEYS[6], KEYS[7], KEYS[9], KEYS[10], KEYS[11]
local worker, window = ARGV[1], tonumber(ARGV[2])

-- A claim whose reply was lost on the way: the same entry again.
local mine = redis.call('HGET', claims, worker)
if mine then
  return { string.match(mine, '^[^:]+'), 0 }
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What stock RQ pushed (requeue, dependents, schedules): to the end of the line, unless it has a place already.
-- Entries are passed over: their place comes from the row, and one that is lost is given back by the keeper.
local pushed = redis.call('LPOP', inbox, 500)
if pushed then
  local claimed = {}
  for _, claim in ipairs(redis.call('HVALS', claims)) do
    claimed[string.match(claim, '^[^:]+')] = true
  end
  local last = redis.call('ZRANGE', line, -1, -1, 'WITHSCORES')
  local score = tonumber(last[2] or 0)
  for _, id in ipairs(pushed) do
    -- The job of an entry has its own id for a description. Nobody has to be there for a job of somebody else's; the
    -- key goes with it.
    local description = redis.call('HGET', 'rq:job:' .. id, 'description')
    if description and description ~= id and not claimed[id] and not redis.call('ZSCORE', held, id) then
      score = score + 1
      redis.call('ZADD', line, 'NX', score, id)
      redis.call('SET', 'presence:' .. id, '1', 'NX')
      redis.call('SADD', foreign, id)
    end
  end
  redis.call('INCR', version)
end

local row = redis.call('ZRANGE', line, 0, window - 1, 'WITHSCORES')
if #row == 0 then
  return {}
end
local names = {}
for i = 1, #row, 2 do
  names[#names + 1] = 'presence:' .. row[i]
end
local present = redis.call('MGET', unpack(names))
local passed = 0
while passed < #names and not present[passed + 1] do
  passed = passed + 1
end

if passed > 0 then
  local ids, to_held, to_due = {}, {}, {}
  for i = 1, passed do
    ids[i] = row[2 * i - 1]
  end
  local longer = redis.call('EXISTS', grace) == 1 and redis.call('HMGET', grace, unpack(ids)) or {}
  local usual = string.format('%.0f', now + ARGV[3])
  for i, id in ipairs(ids) do
    to_held[2 * i - 1], to_held[2 * i] = row[2 * i], id
    to_due[2 * i - 1], to_due[2 * i] = usual, id
    if longer[i] then
      to_due[2 * i - 1] = now + math.max(ARGV[3], longer[i])
    end
  end
  redis.call('ZREMRANGEBYRANK', line, 0, passed - 1)
  redis.call('ZADD', held, unpack(to_held))
  redis.call('ZADD', due, unpack(to_due))
  redis.call('RPUSH', moves, string.format('%.0f:held:lost:', now) .. table.concat(ids, ' '))
  redis.call('LTRIM', moves, -10000, -1)
  redis.call('INCR', version)
end

if passed == #names then
  return { '', passed }
end
local id, score = row[2 * passed + 1], row[2 * passed + 2]
redis.call('ZREM', line, id)
redis.call('HSET', claims, worker, string.format('%s:%s:%.0f', id, score, now))
redis.call('INCR', version)
return { id, passed }
