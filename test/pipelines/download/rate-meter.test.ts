import { expect, test } from 'vitest';
import { RateMeter } from '../../../pipelines/download/rate-meter.js';

test('a steady download has its rate and the time that is left', () => {
  const meter = new RateMeter(10_000);
  expect(meter.rate(0)).toBeUndefined();
  for (let second = 0; second <= 30; second++) meter.add(1_000_000 * second, second * 1000);
  expect(meter.rate(30_000)).toBeCloseTo(1_000_000);
  expect(meter.secondsLeft(35_000_000, 30_000)).toBeCloseTo(5);
  expect(meter.secondsLeft(1, 30_000)).toBe(0);
});

test('what was there at the start does not count', () => {
  const meter = new RateMeter();
  meter.add(5_000_000_000, 0);
  meter.add(5_000_001_000, 1000);
  expect(meter.rate(1000)).toBeCloseTo(1000);
});

test('only the window counts, and a stall shows', () => {
  const meter = new RateMeter(10_000);
  for (let second = 0; second <= 10; second++) meter.add(9_000_000 * second, second * 1000);
  for (let second = 11; second <= 30; second++) meter.add(90_000_000 + 1000 * (second - 10), second * 1000);
  expect(meter.rate(30_000)).toBeCloseTo(1000);
  expect(meter.rate(35_000)).toBeLessThan(1000);
  expect(meter.rate(60_000)).toBe(0);
  expect(meter.secondsLeft(100_000_000, 60_000)).toBeUndefined();
});

test('a download that starts again starts the rate again', () => {
  const meter = new RateMeter();
  meter.add(0, 0);
  meter.add(50_000, 1000);
  meter.add(0, 2000);
  meter.add(3000, 3000);
  expect(meter.rate(3000)).toBeCloseTo(3000);
});

test('a million samples keep the rate right and the memory small', () => {
  const meter = new RateMeter(10_000);
  for (let index = 0; index < 1_000_000; index++) meter.add(index * 100, index);
  expect(meter.rate(999_999)).toBeGreaterThan(98_000);
  expect(meter.rate(999_999)).toBeLessThan(102_000);
  expect(JSON.stringify(meter).length).toBeLessThan(10_000);
});
