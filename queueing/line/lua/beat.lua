-- beat: the pages of these entries are open. Held entries are back in the very same place, and entries whose page was
-- not looked at before take theirs.
-- ARGV    1 ttl of presence in ms
--         2 job ids (at most 1,000), separated by newlines: packing an argument for each id takes the caller as long as
--           all the rest of a beat
-- Return  the ids that were held and are back
local ids, gone = {}, {}
for id in string.gmatch(ARGV[2], '[^\n]+') do
  -- SET, not PEXPIRE: a key that a flush took must come back.
  redis.call('SET', PRESENCE .. id, '1', 'PX', ARGV[1])
  ids[#ids + 1] = id
  gone[#gone + 1] = GONE .. id
end
redis.call('DEL', unpack(gone))

-- Moves those of the ids that are in this place into the line.
local function take_out(place)
  local out = {}
  if redis.call('EXISTS', place) == 0 then
    return out
  end
  for i, score in ipairs(redis.call('ZMSCORE', place, unpack(ids))) do
    if score then
      redis.call('ZADD', line, score, ids[i])
      out[#out + 1] = ids[i]
    end
  end
  if #out > 0 then
    redis.call('ZREM', place, unpack(out))
    redis.call('ZREM', due, unpack(out))
    numbers_changed()
    wake_workers(out)
  end
  return out
end

take_out(unseen)
local back = take_out(held)
if #back > 0 then
  redis.call('HDEL', absence, unpack(back))
  note(clock(), 'back', '', back)
end
return back
