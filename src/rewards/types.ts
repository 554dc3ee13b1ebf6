/** The vocabulary of outcome rewards: is the answer right? Rule-based, from the response's text alone. */

export const problemTypes = ['numerical', 'multiple choice', 'OCR', 'free-form'] as const;
export type ProblemType = (typeof problemTypes)[number];

/** `paper`: what the paper defines. `reference`: what the published training code computes. */
export const rewardVariants = ['paper', 'reference'] as const;
export type RewardVariant = (typeof rewardVariants)[number];
