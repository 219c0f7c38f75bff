-- Take back the credits of a payment whose money went back, or return them when it came again
-- (R13). May be told anything twice, late and in any order: of each refund or dispute the reading
-- with the highest rank counts, and what is taken follows from all of them together.
-- KEYS[9] clawback   KEYS[10] top-off, or the visit to Checkout of a purchase
-- ARGV[5] its id   ARGV[6] credits   ARGV[7] amount, minor units   ARGV[8] currency
-- ARGV[9..] of each refund or dispute: id, cause, rank, amount in minor units, '1' if it is out
-- Replies {'unknown_account'}, {'cycle_over', …} or
--   {status, by how many credits the balance changed, allotment, purchased}
--   'clawed_back'   money went out, though it may have been worth less than a credit
--   'returned'      money came again, and credits with it
--   'unchanged'     there was nothing new, or nothing that is worth a credit
--   'not_credited'  the payment gave no credits: nothing was looked at
-- Writes the clawback, the bucket, an entry for each refund or dispute whose money moved. Money
-- that went out switches automatic top-offs off and owes an e-mail. The threshold is not looked at:
-- taking credits back must never charge a card.

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
local purchased_before = account.purchased

local function reply(status)
  return { status, account.purchased - purchased_before, account.allotment, account.purchased }
end

if redis.call('HGET', KEYS[10], 'state') ~= 'succeeded' then return reply('not_credited') end

local function read(record)
  local rank, amount_minor, out = string.match(record or '0 0 0', '^(%d+) (%d+) ([01])$')
  return tonumber(rank), out == '1' and tonumber(amount_minor) or 0
end

local known, taken, out_minor = {}, 0, 0
local fields = redis.call('HGETALL', KEYS[9])
for i = 1, #fields, 2 do
  if fields[i] == 'taken' then
    taken = tonumber(fields[i + 1])
  else
    known[fields[i]] = fields[i + 1]
    local _, minor = read(fields[i + 1])
    out_minor = out_minor + minor
  end
end

-- Exact in Lua's floating point: a million credits times a charge of eight digits stays below
-- 2^53; and a quotient up to a million that is not whole is at least 1e-8 away from a whole one,
-- while rounding moves it by less than 1e-10.
local credits, paid_minor = tonumber(ARGV[6]), tonumber(ARGV[7])
local function credits_due_back()
  return math.floor(credits * math.min(out_minor, paid_minor) / paid_minor)
end

-- Take what is due since `moved_minor` went out, or return it where they came again: whole credits,
-- which may be none.
local function take(moved_minor, cause, id)
  local count = credits_due_back() - taken
  taken = taken + count
  local delta = 0 - count -- not -count: that of 0 is written "-0"
  apply(account, 0, delta)
  local type = moved_minor > 0 and 'credits_clawed_back' or 'credits_returned'
  append(account, type, 0, delta, ARGV[5], cause, '',
    string.format('%s %.0f %s', id, math.abs(moved_minor), ARGV[8]))
  return count
end

local news, gone_minor, gone_by, clawed_back = false, 0, 'refund', 0
for i = 9, #ARGV, 5 do
  local id, cause, record = ARGV[i], ARGV[i + 1], table.concat(ARGV, ' ', i + 2, i + 4)
  local known_rank, known_minor = read(known[id])
  local rank, minor = read(record)
  if rank > known_rank then
    news, known[id] = true, record
    redis.call('HSET', KEYS[9], id, record)
    local moved_minor = minor - known_minor
    out_minor = out_minor + moved_minor
    local count = moved_minor ~= 0 and take(moved_minor, cause, id) or 0
    if moved_minor > 0 then
      gone_minor, clawed_back = gone_minor + moved_minor, clawed_back + count
      if cause == 'dispute' then gone_by = cause end
    end
  end
end

if not news then return reply('unchanged') end
redis.call('HSET', KEYS[9], 'taken', taken)
-- Both outlive what may still come of this: a dispute takes months.
redis.call('EXPIRE', KEYS[9], RECORD_KEPT_S)
redis.call('EXPIRE', KEYS[10], RECORD_KEPT_S)
forget_warnings(account)
if gone_minor == 0 then
  return reply(account.purchased > purchased_before and 'returned' or 'unchanged')
end
local was_on = account.topoff_on
if was_on then
  append(account, 'account_changed', 0, 0, ID, 'topoff_set', '', '{"by":"","enabled":false}')
  switch_topoff_off(account)
end
notify('credits_clawed_back', 'cause', gone_by, 'credits', clawed_back,
  'amount_minor', gone_minor, 'currency', ARGV[8], 'balance', account.balance,
  'switched_off', was_on and '1' or '')
return reply('clawed_back')
