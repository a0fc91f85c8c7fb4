// Runs before every test file: keeps tfjs from printing its banner.
import * as tf from '@tensorflow/tfjs';

tf.enableProdMode();
