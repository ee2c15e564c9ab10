-- common: the part that all scripts share. The loader puts this file in front of each script.
-- KEYS    the keys of one line, in the order of LineKeys
local line, held, due, absence, grace = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local claims, version, wake, notes, foreign, inbox = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local unseen, epoch, restoring, reserved, newest = KEYS[12], KEYS[13], KEYS[14], KEYS[15], KEYS[16]
local levers_copy, running, starts = KEYS[17], KEYS[18], KEYS[19]

-- The keys that a script has after those of the line, by their number.
local function own(number)
  return KEYS[19 + number]
end

-- The beginnings of the keys of one entry, as in keys.py.
local PRESENCE, GONE, JOB = 'presence:', 'gone:', 'rq:job:'

-- The clock of Redis in milliseconds. Scripts know no other clock.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The names of the keys that live while a page of these entries is open.
local function presence_names(ids)
  local names = {}
  for i, id in ipairs(ids) do
    names[i] = PRESENCE .. id
  end
  return names
end

-- The job id in a claim, "<id>:<score>:<ms>".
local function id_of(claim)
  return string.match(claim, '^[^:]+') or ''
end

-- A table with a field for each claimed job id.
local function claimed_ids()
  local ids = {}
  for _, claim in ipairs(redis.call('HVALS', claims)) do
    ids[id_of(claim)] = true
  end
  return ids
end

-- The copy of the line's row; nil if there is none, or another program has written it.
local function parse_levers(text)
  local is_json, levers = pcall(cjson.decode, text or '')
  return is_json and type(levers) == 'table' and type(levers.state) == 'string' and levers or nil
end

-- True if the epoch was begun on this server. A replica that has taken over has the epoch of another one, and maybe an
-- old copy of everything. Where INFO is not allowed, nobody knows, and the keeper notices it in its next round.
local function is_of_this_server(begun)
  local told = redis.pcall('INFO', 'server')
  local id = type(told) == 'string' and string.match(told, 'run_id:(%x+)')
  return not id or id == begun
end

-- True if nobody may join.
local function is_closed(levers)
  return levers.state == 'closed' or levers.state == 'stopped'
end

-- True if nothing may be started.
local function is_paused(levers)
  return levers.state == 'paused' or levers.state == 'stopped'
end

-- True if an entry is in the line, held, unseen or claimed.
local function has_place(id, claimed)
  return claimed[id]
    or redis.call('ZSCORE', line, id)
    or redis.call('ZSCORE', held, id)
    or redis.call('ZSCORE', unseen, id)
end

-- Another program's value of another kind would lock out whoever needs this key.
local function forget_others(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    redis.call('DEL', key)
  end
end

-- A request stores this entry no more. True if no other one does: then the reservation is gone, too.
local function give_up(storing, token, id, now)
  redis.call('ZREM', storing, token)
  redis.call('ZREMRANGEBYSCORE', storing, '-inf', now)
  local latest = redis.call('ZRANGE', storing, -1, -1, 'WITHSCORES')
  if #latest > 0 then
    redis.call('ZADD', reserved, 'XX', latest[2], id)
    return false
  end
  redis.call('ZREM', reserved, id)
  return true
end

-- Tells every page to ask for its numbers again.
local function numbers_changed()
  redis.call('INCR', version)
end

-- Calls idle workers: these entries can be claimed. The list is capped, because nobody reads it while all workers are busy.
local function wake_workers(ids)
  redis.call('RPUSH', wake, unpack(ids))
  redis.call('LTRIM', wake, -64, -1)
end

-- Notes a line for the timelines of these entries. The list is capped for the case that no keeper drains it.
local function note(now, kind, detail, ids)
  redis.call('RPUSH', notes, string.format('%.0f:%s:%s:', now, kind, detail) .. table.concat(ids, ' '))
  redis.call('LTRIM', notes, -10000, -1)
end

-- Holds entries that have no place any more, with their scores. The hold begins at `since` and lasts for `usual`
-- milliseconds, or for longer where the visitor asked for more. `why` is the absence: closed or lost.
local function hold_places(ids, scores, since, usual, why, now)
  local longer = redis.call('EXISTS', grace) == 1 and redis.call('HMGET', grace, unpack(ids)) or {}
  local usual_deadline = string.format('%.0f', since + usual)
  local places, deadlines = {}, {}
  for i, id in ipairs(ids) do
    places[2 * i - 1], places[2 * i] = scores[i], id
    deadlines[2 * i - 1], deadlines[2 * i] = usual_deadline, id
    if longer[i] then
      deadlines[2 * i - 1] = since + math.max(usual, tonumber(longer[i]) or 0)
    end
    if why == 'closed' then
      redis.call('HSET', absence, id, why)
    end
  end
  redis.call('ZADD', held, unpack(places))
  redis.call('ZADD', due, unpack(deadlines))
  note(now, 'held', why, ids)
  numbers_changed()
end
