// Runs an image of the RP2040 on rp2040js, its UART 0 on a listening socket (docs/design/emulator.md).
// usage: node rp2040.mjs IMAGE.elf FD BOOT_BLOCK_ADDRESS WORD...
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { RP2040, LogLevel, ConsoleLogger } from "rp2040js";

const [image, listening, bootBlock, ...words] = process.argv.slice(2);

const FLASH = 0x10000000;
const BOOT2_BYTES = 256;
const BOOT2_AT = 0x20041f00; // where the boot ROM copies it
const RAM_END = 0x20042000;
const NS_PER_INSTRUCTION = 128; // as QEMU's -icount shift=7: the instructions of the board are counted
const INSTRUCTIONS_PER_TURN = 20000;
const LONGEST_SLEEP_MS = 1000;

/** The bytes of an ELF file of 32 bits that the loader puts into the flash. */
function flashOf(elf, flash) {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const [table, size, count] = [view.getUint32(28, true), view.getUint16(42, true), view.getUint16(44, true)];
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    const [kind, offset, , address, bytes] = [0, 4, 8, 12, 16].map((field) => view.getUint32(at + field, true));
    if (kind === 1 && bytes > 0) flash.set(elf.subarray(offset, offset + bytes), address - FLASH);
  }
}

/** RP2040 Datasheet, 2.8.1.3: CRC-32 with the most significant bit first, and nothing inverted. */
function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}


const mcu = new RP2040();
const clock = mcu.clock;
mcu.logger = new ConsoleLogger(LogLevel.Error, false);
flashOf(readFileSync(image), mcu.flash);

/** What the boot ROM does, which is not ours to give away: it checks the second stage, copies it and calls it. */
function boot() {
  const second = mcu.flash.subarray(0, BOOT2_BYTES);
  const stored = new DataView(second.buffer, second.byteOffset).getUint32(BOOT2_BYTES - 4, true);
  if (checksum(second.subarray(0, BOOT2_BYTES - 4)) !== stored) {
    console.error("the boot ROM would refuse the image: the checksum of its first 256 bytes is wrong");
    process.exit(1);
  }
  const { core, sram } = mcu;
  core.reset();
  sram.set(second, BOOT2_AT - 0x20000000);
  words.forEach((word, i) => mcu.writeUint32(Number(bootBlock) + 4 * i, Number(word)));
  core.SP = RAM_END;
  core.LR = 0;
  core.PC = BOOT2_AT;
}

const waiting = []; // bytes from the host that the UART has no room for
let client = null;
const uart = mcu.uart[0];
let sent = [];
uart.onByte = (byte) => sent.push(byte);

function feed() {
  while (waiting.length > 0 && !uart.rxFIFO.full) {
    const chunk = waiting[0];
    uart.feedByte(chunk.bytes[chunk.next++]);
    if (chunk.next === chunk.bytes.length) waiting.shift();
  }
  if (client) client[waiting.length > 4 ? "pause" : "resume"]();
}

function flush() {
  if (sent.length > 0 && client) client.write(Buffer.from(sent));
  sent = []; // without a client they are lost, as on an unplugged cable
}

/** Some instructions; false if the core sleeps. */
function work() {
  for (let i = 0; i < INSTRUCTIONS_PER_TURN; i++) {
    if (mcu.core.waiting) return false;
    mcu.core.executeInstruction();
    clock.tick(NS_PER_INSTRUCTION);
    if ((i & 63) === 0 && waiting.length > 0) feed();
  }
  return true;
}

let timer = null;
let slept = 0; // when the core went to sleep, in ms of this machine

function turn() {
  timer = null;
  if (slept > 0) {
    clock.tick((performance.now() - slept) * 1e6); // the board's clock goes on with the host's while it sleeps
    slept = 0;
  }
  feed();
  const busy = work();
  flush();
  if (busy) {
    timer = setImmediate(turn);
  } else {
    slept = performance.now();
    const ms = waiting.length > 0 ? 0 : Math.min(LONGEST_SLEEP_MS, clock.nanosToNextAlarm / 1e6 + 0.1);
    timer = setTimeout(turn, ms);
  }
}

/** A byte came: the core need not sleep to the end. */
function wake() {
  if (slept > 0) {
    clearTimeout(timer);
    timer = setImmediate(turn);
  }
}

createServer((socket) => {
  if (client) return socket.destroy();
  client = socket;
  socket.setNoDelay(true);
  socket.on("data", (bytes) => {
    waiting.push({ bytes, next: 0 });
    wake();
  });
  const gone = () => {
    if (client === socket) client = null;
  };
  socket.on("error", gone);
  socket.on("close", gone);
}).listen({ fd: Number(listening) });

boot();
turn();
