-- Credit a purchase that was paid, once, whoever reports it first (R7). Its card becomes the
-- account's if the person chose so and may still pay for it; that, or paying with the account's card,
-- lifts the block (R8). Money that has arrived is credited whatever the balance comes to. Whoever
-- began the visit bought.
-- KEYS[9] checkout   KEYS[10] members
-- ARGV[5] purchase id   ARGV[6] credits   ARGV[7] PaymentIntent   ARGV[8] amount, minor units
-- ARGV[9] currency   ARGV[10] customer   ARGV[11] last four digits of the card, or ''
-- ARGV[12] receipt's address, or ''   ARGV[13] payment method, or ''
-- ARGV[14] when the person chose to save it, ms, '' = did not   ARGV[15] brand   ARGV[16] expiry
-- Replies {'unknown_account'}, {'cycle_over', …} or {status, allotment, purchased}
--   'credited'   now
--   'repeated'   credited before
--   'mismatch'   this is not what was to be paid, or another PaymentIntent has paid it
-- Writes the bucket, the checkout, the account's card, the incident, one entry; owes the receipt.

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
local f = redis.call('HMGET', KEYS[9], 'state', 'payment_intent', 'started_at_ms', 'credits',
  'amount_minor', 'currency', 'customer', 'by')

local function reply(status)
  return { status, account.allotment, account.purchased }
end

if f[1] == 'succeeded' then
  return reply(f[2] == ARGV[7] and 'repeated' or 'mismatch')
end
local as_started = f[4] == ARGV[6] and f[5] == ARGV[8] and f[6] == ARGV[9]
if f[3] and not as_started then return reply('mismatch') end
-- Without the record of its start only Stripe's metadata says what was bought, and for whom.
local customer = f[7] or redis.call('HGET', PROFILE, 'customer')
if customer and customer ~= ARGV[10] then return reply('mismatch') end

local credits = tonumber(ARGV[6])
apply(account, 0, credits)
redis.call('HSET', KEYS[9], 'account', ID, 'mode', 'payment', 'state', 'succeeded',
  'credits', credits, 'amount_minor', ARGV[8], 'currency', ARGV[9], 'customer', ARGV[10],
  'payment_intent', ARGV[7], 'card_last4', ARGV[11], 'receipt_url', ARGV[12],
  'finished_at_ms', NOW)
redis.call('EXPIRE', KEYS[9], RECORD_KEPT_S)
local by = f[8] or ''
append(account, 'purchase_succeeded', 0, credits, ARGV[5], ARGV[7], '',
  ARGV[8] .. ' ' .. ARGV[9] .. (by == '' and '' or ' ' .. by))
forget_warnings(account)
notify('purchase_succeeded', 'credits', credits, 'amount_minor', ARGV[8], 'currency', ARGV[9],
  'card_last4', ARGV[11], 'receipt_url', ARGV[12], 'balance', account.balance)

if ARGV[13] ~= '' and ARGV[13] == redis.call('HGET', PROFILE, 'payment_method') then
  redis.call('HDEL', PROFILE, 'card_refused') -- its issuer has just accepted it
  unblock(account, 'purchase_succeeded')
elseif ARGV[14] ~= '' and is_newest_card(ARGV[14]) and may_pay(by, KEYS[10]) then
  attach_card(account, ARGV[10], ARGV[13], ARGV[15], ARGV[11], ARGV[16], ARGV[14], by)
end
return reply('credited')
