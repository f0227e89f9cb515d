"""Update rules as numpy loops, written from the papers.

Each function takes the start value of one parameter and its gradient at every step, and
returns the value after every step. Numbers are double precision.
"""

import numpy as np


def sgd(p, gradients, learning_rate):
    values = []
    for g in gradients:
        p = p - learning_rate * g
        values.append(p)
    return values


def momentum(p, gradients, learning_rate, momentum):
    velocity = np.zeros_like(p)
    values = []
    for g in gradients:
        velocity = momentum * velocity - learning_rate * g
        p = p + velocity
        values.append(p)
    return values


def nesterov_momentum(p, gradients, learning_rate, momentum):
    velocity = np.zeros_like(p)
    values = []
    for g in gradients:
        velocity = momentum * velocity - learning_rate * g
        p = p + momentum * velocity - learning_rate * g
        values.append(p)
    return values


def adagrad(p, gradients, learning_rate, epsilon):
    total = np.zeros_like(p)
    values = []
    for g in gradients:
        total = total + g**2
        p = p - learning_rate * g / np.sqrt(total + epsilon)
        values.append(p)
    return values


def rmsprop(p, gradients, learning_rate, rho, epsilon):
    mean = np.zeros_like(p)
    values = []
    for g in gradients:
        mean = rho * mean + (1 - rho) * g**2
        p = p - learning_rate * g / np.sqrt(mean + epsilon)
        values.append(p)
    return values


def adadelta(p, gradients, learning_rate, rho, epsilon):
    squares, steps = np.zeros_like(p), np.zeros_like(p)
    values = []
    for g in gradients:
        squares = rho * squares + (1 - rho) * g**2
        step = np.sqrt(steps + epsilon) / np.sqrt(squares + epsilon) * g
        steps = rho * steps + (1 - rho) * step**2
        p = p - learning_rate * step
        values.append(p)
    return values


def _moments(gradients, beta1, beta2):
    m = v = np.zeros_like(gradients[0])
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        yield t, g, m, v


def adam(p, gradients, learning_rate, beta1, beta2, epsilon):
    values = []
    for t, _, m, v in _moments(gradients, beta1, beta2):
        rate = learning_rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        p = p - rate * m / (np.sqrt(v) + epsilon)
        values.append(p)
    return values


def adamax(p, gradients, learning_rate, beta1, beta2, epsilon):
    u = np.zeros_like(p)
    values = []
    for t, g, m, _ in _moments(gradients, beta1, beta2):
        u = np.maximum(beta2 * u, np.abs(g))
        p = p - learning_rate / (1 - beta1**t) * m / (u + epsilon)
        values.append(p)
    return values


def amsgrad(p, gradients, learning_rate, beta1, beta2, epsilon):
    largest = np.zeros_like(p)
    values = []
    for t, _, m, v in _moments(gradients, beta1, beta2):
        largest = np.maximum(largest, v)
        rate = learning_rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        p = p - rate * m / (np.sqrt(largest) + epsilon)
        values.append(p)
    return values


def nadam(p, gradients, learning_rate, beta1, beta2, epsilon, momentum_decay):
    """Dozat (2016), algorithm 2, with the schedule of its section on experiments."""

    def mu(t):
        return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))

    m, n = np.zeros_like(p), np.zeros_like(p)
    values = []
    for t, g in enumerate(gradients, start=1):
        m = mu(t) * m + (1 - mu(t)) * g
        n = beta2 * n + (1 - beta2) * g**2
        product = np.prod([mu(i) for i in range(1, t + 1)])
        m_hat = mu(t + 1) * m / (1 - product * mu(t + 1))
        m_hat = m_hat + (1 - mu(t)) * g / (1 - product)
        n_hat = n / (1 - beta2**t)
        p = p - learning_rate * m_hat / (np.sqrt(n_hat) + epsilon)
        values.append(p)
    return values


def radam(p, gradients, learning_rate, beta1, beta2, epsilon):
    """Liu et al. (2020), algorithm 2."""
    rho_inf = 2 / (1 - beta2) - 1
    values = []
    for t, _, m, v in _moments(gradients, beta1, beta2):
        m_hat = m / (1 - beta1**t)
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        if rho > 4:
            adapted = np.sqrt(1 - beta2**t) / (np.sqrt(v) + epsilon)
            above = (rho - 4) * (rho - 2) * rho_inf
            below = (rho_inf - 4) * (rho_inf - 2) * rho
            p = p - learning_rate * np.sqrt(above / below) * m_hat * adapted
        else:
            p = p - learning_rate * m_hat
        values.append(p)
    return values


def adabelief(p, gradients, learning_rate, beta1, beta2, epsilon):
    """Zhuang et al. (2020), algorithm 2."""
    m, s = np.zeros_like(p), np.zeros_like(p)
    values = []
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * (g - m) ** 2 + epsilon
        m_hat, s_hat = m / (1 - beta1**t), s / (1 - beta2**t)
        p = p - learning_rate * m_hat / (np.sqrt(s_hat) + epsilon)
        values.append(p)
    return values


def adamw(p, gradients, learning_rate, beta1, beta2, epsilon, weight_decay):
    """Loshchilov and Hutter (2019), algorithm 2, the rate multiplying both terms."""
    values = []
    for t, _, m, v in _moments(gradients, beta1, beta2):
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        direction = m_hat / (np.sqrt(v_hat) + epsilon) + weight_decay * p
        p = p - learning_rate * direction
        values.append(p)
    return values


def lion(p, gradients, learning_rate, beta1, beta2, weight_decay):
    """Chen et al. (2023), algorithm 2."""
    m = np.zeros_like(p)
    values = []
    for g in gradients:
        c = beta1 * m + (1 - beta1) * g
        p = p - learning_rate * (np.sign(c) + weight_decay * p)
        m = beta2 * m + (1 - beta2) * g
        values.append(p)
    return values


def lamb(p, gradients, learning_rate, beta1, beta2, epsilon, weight_decay):
    """You et al. (2020), algorithm 2, with the identity for phi."""
    values = []
    for t, _, m, v in _moments(gradients, beta1, beta2):
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        direction = m_hat / (np.sqrt(v_hat) + epsilon) + weight_decay * p
        length = np.sqrt(np.sum(direction**2))
        wanted = np.sqrt(np.sum(p**2))
        ratio = wanted / length if wanted > 0 and length > 0 else 1.0
        p = p - learning_rate * ratio * direction
        values.append(p)
    return values


def rprop(p, gradients, learning_rate, eta_minus, eta_plus, min_step, max_step):
    """Igel and Huesken (2003), iRprop-, entry by entry."""
    p = np.array(p)
    previous = np.zeros_like(p)
    size = np.full_like(p, learning_rate)
    values = []
    for gradient in gradients:
        gradient = np.array(gradient)
        for i in np.ndindex(p.shape):
            if gradient[i] * previous[i] > 0:
                size[i] = min(size[i] * eta_plus, max_step)
            elif gradient[i] * previous[i] < 0:
                size[i] = max(size[i] * eta_minus, min_step)
                gradient[i] = 0.0
            p[i] = p[i] - np.sign(gradient[i]) * size[i]
            previous[i] = gradient[i]
        values.append(p.copy())
    return values
